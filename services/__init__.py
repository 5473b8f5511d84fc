"""The independently deployed services; each imports `articulation`, `serving`, the contracts and itself only."""
