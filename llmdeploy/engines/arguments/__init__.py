"""`engine_args` and `env`: what a user hands to the engine past the neutral settings.

Each argument is judged by what this engine's own parser takes at this version. What the compiler decides itself
may not come back this way, in any spelling.


Nothing here is imported for a model that has neither: see `engines.lowering`.
"""
