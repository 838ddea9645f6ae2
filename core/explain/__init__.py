"""Why did a model say that? Methods that only ask it, again and again, about samples with parts taken away.

A sample is cut into **players** (cells of an image, words, stretches of time); a **coalition** is the set of players
that are left in, the others are replaced by a baseline; a **game** says what the model answers to a coalition. No
torch and no HTTP: any function from samples to numbers can be explained.
"""

from core.explain.game import Explanation, Game
from core.explain.methods import USUAL_SAMPLES, Method, explain
from core.explain.players import Parts, Players, divide

__all__ = ["USUAL_SAMPLES", "Explanation", "Game", "Method", "Parts", "Players", "divide", "explain"]
