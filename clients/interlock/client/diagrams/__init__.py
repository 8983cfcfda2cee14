"""Pictures of a policy's machines: who signs and which evidence each edge takes, where a model stands now.

``figure_of`` for what there is to draw, then ``to_mermaid``, ``to_svg`` or ``to_png``. The last needs the extra
``diagrams`` (Pillow); nothing needs a browser, a network or a program beside Python.
"""

from interlock.client.diagrams.figure import MACHINES, Figure, Machine, figure_of, standing_of
from interlock.client.diagrams.mermaid import to_mermaid
from interlock.client.diagrams.png import to_png
from interlock.client.diagrams.svg import to_svg

__all__ = ["MACHINES", "Figure", "Machine", "figure_of", "standing_of", "to_mermaid", "to_png", "to_svg"]
