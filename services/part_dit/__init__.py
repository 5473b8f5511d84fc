"""The shape stage: part VAE, part diffusion transformer, pipeline and mesh extraction, called by Triton."""
