from __future__ import annotations

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.get_state import parse_get_state, state_file
from salt_gluster.gluster.parse.option import OptionValue, parse_set_help, parse_volume_get
from salt_gluster.model import Unknown


def test_a_default_is_told_from_a_value() -> None:
    options = parse_volume_get(samples.answer("volume-get-rep3-all.xml"))
    assert options["cluster.heal-timeout"] == OptionValue("600", True)
    assert options["cluster.quorum-type"] == OptionValue("auto", False)
    assert options["performance.cache-priority"] == OptionValue("", True)
    # listed twice, once as "on (DEFAULT)" and once as set
    assert options["features.ctime"] == OptionValue("on", False)


def test_pool_options_are_read_alike() -> None:
    options = parse_volume_get(samples.answer("volume-get-all-all.xml"))
    assert options["cluster.op-version"].value == "100000"
    assert len(options) == 10


@pytest.mark.parametrize(
    ("file", "count"), [("volume-set-help-text.txt", 254), ("volume-set-help-text-11.txt", 255)]
)
def test_set_help_knows_every_option(file: str, count: int) -> None:
    options = parse_set_help(samples.text(file))
    assert len(options) == count
    assert options["cluster.min-free-disk"].default == "10%"
    assert options["cluster.subvols-per-directory"].default is None
    assert options["cluster.min-free-disk"].about.startswith("Percentage/Size of disk space")


def test_help_without_an_option_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse_set_help("Connection failed. Please check if gluster daemon is operational.")


def test_get_state_knows_own_bricks_and_only_names_of_others() -> None:
    state = parse_get_state(samples.text("get-state-plain.txt"))
    assert state.op_version == 100000
    own, other, arbiter = state.volumes["arb"].bricks
    assert (own.name, own.started, own.port) == ("gfn1:/bricks/arb/b1", True, 52375)
    assert own.total == 21407727616
    for brick in (other, arbiter):
        assert isinstance(brick.started, Unknown)
        assert isinstance(brick.port, Unknown)
    assert state.volumes["arb"].self_heal_online is True


def test_get_state_says_where_it_wrote() -> None:
    said = samples.text("get-state.txt")
    assert state_file(said) == "/var/run/gluster/glusterd_state_20261122_125722"
    with pytest.raises(Unreadable):
        state_file("Failed to get daemon state: Output directory /x does not exist.")
