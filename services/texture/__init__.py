"""The texture stage: surface colours, UV unwrapping and baking, called by Triton."""
