"""One module a category; each has `build(draw) -> ObjectSpec`."""
