"""Pictures of a policy's machines: every edge is on them, they are what they say they are, and nothing in them acts."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from PIL import Image

from interlock.client.diagrams import MACHINES, figure_of, to_mermaid, to_png, to_svg
from interlock.client.diagrams.figure import folded
from interlock.client.packs import shipped_pack
from interlock.statemachine.machines import tables
from interlock.statemachine.policy import Policy, load_pack, shipped_pack_names
from interlock.v1 import model_pb2, safeguard_pb2, trigger_pb2


def policy(name: str = "minimal") -> Policy:
    """A shipped pack, loaded."""
    return load_pack(shipped_pack(name))


def model() -> model_pb2.Model:
    """A model of the sketch in the middle of its life."""
    return model_pb2.Model(
        name="models/m",
        state=model_pb2.ModelState.MODEL_STATE_REGISTERED,
        log_position=17,
        levels=[
            model_pb2.Level(
                name="models/m/levels/deployment",
                state=model_pb2.LevelState.LEVEL_STATE_PROVISIONAL,
                assigned="guarded",
            )
        ],
        determinations=[
            model_pb2.Determination(
                name="models/m/determinations/misuse",
                conclusion=trigger_pb2.Conclusion.CONCLUSION_CANNOT_RULE_OUT,
                confirmed=True,
                lapsed=True,
            )
        ],
        safeguards=[
            safeguard_pb2.Safeguard(
                name="models/m/safeguards/input-filter",
                state=safeguard_pb2.SafeguardState.SAFEGUARD_STATE_SUSPENDED,
                remembered_state=safeguard_pb2.SafeguardState.SAFEGUARD_STATE_ACTIVE,
            )
        ],
        holds=["holds/3"],
    )


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_every_edge_of_the_tables_is_on_the_figure(pack: str) -> None:
    """None is drawn that is not in a table, and none is left out."""
    found = {table.kind: table for table in (*tables.FIXED, tables.level_table(policy(pack)))}

    for machine in figure_of(policy(pack)).machines:
        expected = {
            (name.partition("[")[0], folded(machine.kind, source), folded(machine.kind, target))
            for (source, name), target in found[machine.kind].edges.items()
        }
        assert {(e.trigger, source, target) for e in machine.edges for source, target in e.ways} == expected
        assert {state for _, *ends in expected for state in ends} == set(machine.states)


def test_an_edge_says_who_signs_and_which_evidence_it_takes() -> None:
    """Of a rule its people and documents, of what one person does the roles, break-glass beside."""
    takes = {e.trigger: e.takes for machine in figure_of(policy()).machines for e in machine.edges}

    assert takes["determination.rule_out"] == ("owner (or the requester), reviewer", "with evaluation_results < 30d")
    assert takes["safeguard.start"] == ("one person: requester, engineer",)
    assert takes["hold.lift"] == ("owner, reviewer", "break-glass: owner, reviewer, for 1d")
    assert "with red_team_report < 90d, as the safeguard asks" in takes["safeguard.verify"]


def test_where_a_model_stands_is_lit() -> None:
    """Each of its states, with who stands there."""
    lit = {machine.kind: machine.lit for machine in figure_of(policy(), model=model()).machines if machine.lit}

    assert lit == {
        "model": {"registered": ("m",)},
        "determination": {"cannot_rule_out/lapsed": ("misuse",)},
        "level": {"provisional": ("deployment guarded",)},
        "safeguard": {"suspended": ("input-filter",)},
        "hold": {"placed": ("holds/3",)},
    }
    for machine in figure_of(policy(), model=model()).machines:
        assert set(machine.lit) <= set(machine.states)


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_an_svg_is_well_formed_and_has_nothing_that_acts(pack: str) -> None:
    """Only shapes and text, inside the sheet, with no reference to anything."""
    root = ET.fromstring(to_svg(figure_of(policy(pack), model=model())))  # noqa: S314  # our own output
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    names = {element.tag.rpartition("}")[2] for element in root.iter()}

    assert names <= {"svg", "title", "rect", "line", "polygon", "circle", "text"}
    assert not any("href" in key or key.startswith("on") for element in root.iter() for key in element.attrib)
    for text in (element for element in root.iter() if element.tag.endswith("text")):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


def test_a_title_that_looks_like_markup_is_text() -> None:
    """In SVG and in Mermaid."""
    odd = replace(policy(), title='<script>alert("x")</script> & ```')

    svg, mermaid = to_svg(figure_of(odd)), to_mermaid(figure_of(odd))

    assert "<script" not in svg
    assert "<script" not in mermaid
    assert mermaid.count("```") == 2 * len(MACHINES)


def test_a_png_is_an_image_with_the_lit_states_in_their_colour() -> None:
    """Readable by whoever reads PNG; a state is lit where a model stands, and only then."""
    plain, lit = (Image.open(io.BytesIO(to_png(figure_of(policy(), model=m)))) for m in (None, model()))

    assert (plain.format, plain.mode) == ("PNG", "RGB")
    assert plain.width > 1000
    assert _pixels(plain, (0xFF, 0xD5, 0x4A)) == 0
    assert _pixels(lit, (0xFF, 0xD5, 0x4A)) > 5 * 1000


def _pixels(image: Image.Image, color: tuple[int, int, int]) -> int:
    colors = image.getcolors(1 << 24) or []
    return sum(count for count, found in colors if found == color)


def test_mermaid_has_a_diagram_for_each_machine_and_lights_states() -> None:
    """One fenced block each; a lit state has the class."""
    text = to_mermaid(figure_of(policy(), model=model()))

    assert text.count("```mermaid\nstateDiagram-v2\n") == len(MACHINES)
    assert "class suspended lit" in text
    assert 'state "suspended — input-filter" as suspended' in text
    assert "verified --> active : activate ↑<br>owner, reviewer" in text


def test_machines_can_be_chosen() -> None:
    """In their own order, whatever the order of asking."""
    assert [m.kind for m in figure_of(policy(), ("hold", "level")).machines] == ["level", "hold"]
