"""The plan and guide stages: a vision-language model and an image-editing model behind VlmService."""
