"""The file of settings: where it lies, what it may say, what wins over it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from facelign import Recognizer
from facelign.cli import config, settings
from facelign.cli.app import COMMANDS, build, run
from facelign.cli.exits import Exit
from facelign.errors import ConfigError
from facelign.recognition.options import DEFAULT_PRESET


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and a working folder that is not it."""
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELIGN_MIRROR", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    return tmp_path / "home"


def written(home: Path, text: str) -> Path:
    file = home / "facelign.toml"
    file.write_text(text, encoding="utf-8")
    return file


def given(command: str, *words: str) -> dict:
    """Return the defaults that the file gives a command."""
    found = settings.load(tuple(COMMANDS))
    return settings.defaults(build((command,)), command, found, words) or {}


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_nothing_is_set_without_a_file(home):
    assert settings.settings_path() == home / "facelign.toml"
    assert given("identify") == {}


@pytest.mark.parametrize("rest", ["", "x", "x/y"])
@pytest.mark.parametrize("command", ["people list", "models list", "config", "doctor"])
def test_a_home_where_a_file_stands_is_named(home, monkeypatch, capsys, rest, command):
    (home / "file").touch()
    monkeypatch.setenv("FACELIGN_HOME", str(home / "file" / rest))
    assert run(command.split()) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"cannot be {home / 'file' / rest}: a file stands in the way" in said
    assert "FACELIGN_HOME" in said


def test_settings_that_cannot_be_read_are_named(home, monkeypatch, capsys):
    monkeypatch.setenv("FACELIGN_CONFIG", str(home))
    assert run(["people", "list"]) == Exit.USAGE
    assert f"The settings {home} cannot be read" in capsys.readouterr().err


def test_a_file_among_the_photos_is_not_read(home):
    Path("facelign.toml").write_text('preset = "fast"\n', encoding="utf-8")
    assert given("identify") == {}


def test_a_table_wins_over_what_stands_above_it(home):
    written(home, "fpir = 0.02\ntop-k = 3\n[identify]\nfpir = 0.003\n")
    assert given("identify") == {"identify": {"fpir": 0.003, "top_k": 3}}
    assert given("sort") == {"sort": {"fpir": 0.02}}, "sort lists no candidates"


def test_a_table_of_a_group_is_for_those_of_its_commands_that_have_the_option(home):
    written(home, "[people]\ngallery = '/tmp/family.db'\npreset = 'fast'\n")
    people = given("people")["people"]
    assert people["list"] == {"gallery": "/tmp/family.db"}
    assert people["reject"] == {"gallery": "/tmp/family.db", "preset": "fast"}


def test_a_preset_on_the_command_line_is_meant_whole(home):
    written(home, 'preset = "fast"\nmodel = "sface"\nflip = true\nrotate = false\n')
    whole = {"preset": "fast", "model": "sface", "flip": True, "turned": False}
    assert given("embed")["embed"] == whole
    # click itself takes what is on the command line before these
    assert given("embed", "--preset=default")["embed"] == {"preset": "fast", "turned": False}


def test_largest_on_the_command_line_puts_the_face_of_the_file_aside(home):
    written(home, 'face = "best"\n')
    assert given("verify") == {"verify": {"face": "best"}}
    assert given("verify", "--largest") == {}


def test_paths_lie_beside_the_file(home):
    (home / "own.json").write_text("{}", encoding="utf-8")
    written(home, 'gallery = "family.db"\n[verify]\nthreshold = "own.json"\n')
    assert given("identify")["identify"]["gallery"] == str(home / "family.db")
    assert given("verify")["verify"]["threshold"] == str(home / "own.json")


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("presett = 'fast'", "presett is no setting", "Did you mean preset?"),
        ("top_k = 3", "top_k is no setting", "Did you mean top-k?"),
        ("[identfy]\nfpir = 0.1", "[identfy] is no command", "Did you mean identify?"),
        ("[identify]\nfpri = 0.1", "fpri is no setting", "Did you mean fpir?"),
        ("[identify]\nfmr = 0.1", "identify has no setting fmr", "identify --help"),
        ("[identify]\nmirror = '/m'", "mirror is no setting", ""),
        ("fpir = 7", "fpir 7 is no share", "above 0"),
        ("fpir = 'low'", "fpir = low cannot be meant", "a number"),
        ("fpir = true", "fpir = True cannot be meant", "a number"),
        ("top-k = 2.5", "top-k = 2.5 cannot be meant", "a whole number"),
        ("workers = 0", "workers 0 is too small", "1 or more"),
        ("flip = 'no'", "flip = no cannot be meant", "true or false"),
        ("face = 'biggest'", "face = biggest cannot be meant", "largest"),
        ("gallery = ''", "gallery =  cannot be meant", "a path"),
        ("min-height = 20", "min-height means one thing in one command", "[identify]"),
        ("[verify]\nthreshold = '0.4'", "does not say of which preset", "calibration file"),
        ("[verify]\nthreshold = 0.4", "threshold = 0.4 cannot be meant", "a text"),
        ("license = 'open'", "license = open cannot be meant", "FACELIGN_LICENSE"),
        ("force = true", "force is no setting", ""),
        ("consent = 'yes'", "consent is no setting", ""),
        ("yes = true", "yes is no setting", ""),
        ("preset = ", "is no TOML", "editor"),
        ("preset = 'fast'\npreset = 'dlib'", "is no TOML", "editor"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_place_and_a_way_out(home, text, says, hint):
    file = written(home, text)
    with pytest.raises(ConfigError) as refused:
        given("identify")
    assert says in refused.value.message
    assert str(file) in refused.value.message
    assert hint in refused.value.hint


def test_a_file_that_is_no_text_is_refused(home):
    (home / "facelign.toml").write_bytes(b"preset = '\xff'")
    with pytest.raises(ConfigError, match="no TOML"):
        given("identify")


def test_a_file_of_another_editor_is_read_and_changed(home):
    file = home / "facelign.toml"
    file.write_bytes(b'\xef\xbb\xbfpreset = "fast"\r\n[identify]\r\nfpir = 0.003\r\n')
    assert given("identify")["identify"] == {"preset": "fast", "fpir": 0.003}
    assert run(["config", "set", "preset", "dlib"]) == Exit.DONE
    assert given("identify")["identify"] == {"preset": "dlib", "fpir": 0.003}


def test_another_file_can_be_named_and_none(home, monkeypatch, tmp_path):
    written(home, 'preset = "fast"\n')
    other = tmp_path / "other.toml"
    monkeypatch.setenv("FACELIGN_CONFIG", str(other))
    with pytest.raises(ConfigError, match="not there"):
        given("detect")
    other.write_text('preset = "dlib"\n', encoding="utf-8")
    assert given("detect") == {"detect": {"preset": "dlib"}}
    monkeypatch.setenv("FACELIGN_CONFIG", "/dev/null")
    assert given("detect") == {}


def test_every_switch_that_can_be_set_can_be_taken_back_on_the_command_line(home):
    """A file that says true and no way to say false would be no default but an order."""
    switches = [key for keys in settings.keys().values() for key in keys if key.kind is bool]
    assert switches
    assert [key.word for key in switches if key.default is False] == []


def test_what_is_said_for_one_run_has_no_key():
    once = {"json", "out", "draw", "consent", "force", "largest", "classifier", "fusion", "yes"}
    assert not once & set(settings.keys())


def test_the_environment_wins_over_the_file(home, monkeypatch):
    written(home, 'license = "strict"\nmirror = "weights"\n')
    monkeypatch.setenv("FACELIGN_LICENSE", "commercial")
    settings.apply_environment(settings.load(tuple(COMMANDS)))
    assert os.environ["FACELIGN_LICENSE"] == "commercial"
    assert os.environ.pop("FACELIGN_MIRROR") == str(home / "weights")


def test_commands_take_their_defaults_from_it_and_options_win(home, capsys, tmp_path):
    written(home, f'gallery = "{tmp_path / "none.db"}"\n')
    assert run(["people", "list"]) == Exit.GALLERY
    err = capsys.readouterr().err
    assert str(tmp_path / "none.db") in err
    assert f"{home / 'facelign.toml'} says: gallery = {tmp_path / 'none.db'}." in err
    assert run(["people", "list", "--gallery", str(tmp_path / "that.db")]) == Exit.GALLERY
    assert "There is no gallery at " + str(tmp_path / "that.db") in capsys.readouterr().err


def test_a_broken_file_is_told_by_commands_and_stops_no_help(home, capsys):
    file = written(home, "preset = \n")
    assert run(["people", "list"]) == Exit.USAGE
    assert f"{file} is no TOML" in capsys.readouterr().err
    assert run(["people", "list", "--help"]) == Exit.DONE
    assert run(["config", "path"]) == Exit.DONE


@pytest.mark.weights
def test_the_library_does_not_read_it(plain_weights, tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text('preset = "no such preset"\n', encoding="utf-8")
    monkeypatch.setenv("FACELIGN_CONFIG", str(file))
    assert Recognizer().chain.preset.id == DEFAULT_PRESET


# -- facelign config ---------------------------------------------------------------------------


def test_each_value_is_shown_with_its_source(home, capsys, monkeypatch):
    written(home, 'preset = "fast"\nmirror = "m"\n[identify]\nfpir = 0.003\n')
    monkeypatch.setenv("FACELIGN_MIRROR", "/elsewhere")
    assert run(["config", "show", "--json"]) == Exit.DONE
    shown = told(capsys)
    assert shown["file"] == str(home / "facelign.toml")
    assert shown["there"] is True
    rows = {(row["command"], row["key"]): row for row in shown["settings"]}
    assert rows[None, "preset"]["value"] == "fast"
    assert rows[None, "preset"]["source"] == "file"
    assert rows[None, "fpir"]["source"] == "default"
    assert rows["identify", "fpir"]["value"] == 0.003
    assert rows[None, "mirror"]["value"] == "/elsewhere"
    assert rows[None, "mirror"]["source"] == "environment (FACELIGN_MIRROR)"
    assert rows["enroll", "min-height"]["value"] == 40.0
    assert run(["config"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(home / "facelign.toml")
    assert "identify.fpir          0.003                        file" in lines


def test_set_and_unset_leave_every_other_line_alone(home, capsys):
    before = '# mine\npreset = "fast" # quick\n\n[identify]\n# few strangers\nfpir = 0.003\n'
    file = written(home, before)
    assert run(["config", "set", "identify.top-k", "3"]) == Exit.DONE
    assert run(["config", "set", "preset", "accurate"]) == Exit.DONE
    assert run(["config", "set", "sort.fpir", "0.1"]) == Exit.DONE
    text = file.read_text(encoding="utf-8")
    assert "# mine\n" in text
    assert "# few strangers\n" in text
    assert tomllib.loads(text) == {
        "preset": "accurate",
        "identify": {"fpir": 0.003, "top-k": 3},
        "sort": {"fpir": 0.1},
    }
    for key in ("identify.top-k", "preset", "sort.fpir"):
        assert run(["config", "unset", key]) == Exit.DONE
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {
        "identify": {"fpir": 0.003},
        "sort": {},
    }
    capsys.readouterr()
    assert run(["config", "unset", "preset"]) == Exit.USAGE
    assert "does not set preset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("preset", "acurate", "Did you mean accurate?"),
        ("detector", "yunett", "Did you mean yunet?"),
        ("presett", "fast", "Did you mean preset?"),
        ("identfy.fpir", "0.1", "Did you mean identify?"),
        ("detect.fpir", "0.1", "detect has no setting fpir"),
        ("identify.fpir", "7", "is no share"),
        ("verify.threshold", "0.4", "calibration file"),
        ("min-height", "20", "table of a command"),
        ("", "x", "is no setting"),
    ],
)
def test_what_the_file_would_refuse_is_never_written(home, capsys, key, value, says):
    assert run(["config", "set", key, value]) == Exit.USAGE
    assert says in capsys.readouterr().err
    assert not (home / "facelign.toml").exists()


def test_a_path_is_kept_whole(home, capsys):
    assert run(["config", "set", "gallery", "family.db", "--json"]) == Exit.DONE
    assert told(capsys)["set"]["value"] == str(Path("family.db").absolute())


def test_odd_texts_come_back(home, capsys):
    for text in ('Zoë "脸" \\ x.db', "tab\there.db", "#.db"):
        assert run(["config", "set", "gallery", text]) == Exit.DONE
        assert given("identify")["identify"]["gallery"] == str(Path(text).absolute())
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ('"preset" = "fast"\n', "preset", "accurate"),
        ("identify.fpir = 0.1\n", "identify.fpir", "0.2"),
        ("identify = {}\n", "identify.fpir", "0.2"),
        ('gallery = """\nfpir = 1"""\n', "fpir", "0.2"),
    ],
)
def test_a_file_written_in_a_way_of_its_own_is_left_as_it_is(home, capsys, text, key, value):
    file = written(home, text)
    assert run(["config", "set", key, value]) == Exit.USAGE
    assert "Change it in an editor" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == text


def test_edited_text_is_what_was_meant_or_nothing_is_written(home):
    wanted = config.edited("", "identify", "fpir", 0.1)
    assert tomllib.loads(wanted) == {"identify": {"fpir": 0.1}}
    assert config.edited(wanted, "identify", "fpir", None) == "[identify]\n"
