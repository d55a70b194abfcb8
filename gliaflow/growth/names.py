"""Names of the project's own growth models, which the config is checked against without loading them."""

REACTION_DIFFUSION, EIKONAL = "reaction_diffusion", "eikonal"
OWN_MODELS = (REACTION_DIFFUSION, EIKONAL)
