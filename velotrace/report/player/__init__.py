"""The player: step through an iteration in a browser, one named value at a time."""

from velotrace.report.player.content import Frame
from velotrace.report.player.page import player_page, player_part

__all__ = ["Frame", "player_page", "player_part"]
