"""The scripts that the system calls: the USB gadget, in a folder that stands for configfs."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "systemd" / "gadget"


@pytest.fixture
def board(tmp_path):
    (tmp_path / "config" / "usb_gadget").mkdir(parents=True)
    (tmp_path / "udc").mkdir()
    return tmp_path


def run(board, *words):
    around = {
        "FATHOM_CONFIGFS": str(board / "config"),
        "FATHOM_UDC": str(board / "udc"),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run([SCRIPT, *words], env=around, capture_output=True, text=True, check=False)


def test_the_computer_sees_a_midi_device_called_fathom(board):
    (board / "udc" / "fe980000.usb").mkdir()

    done = run(board, "on")

    gadget = board / "config/usb_gadget/fathom"
    assert (done.returncode, done.stderr) == (0, "")
    assert (gadget / "strings/0x409/product").read_text() == "Fathom\n"
    assert (gadget / "configs/c.1/midi.usb0").resolve() == gadget / "functions/midi.usb0"
    assert (gadget / "UDC").read_text() == "fe980000.usb\n"


def test_a_second_call_leaves_a_running_gadget_alone(board):
    (board / "udc" / "fe980000.usb").mkdir()
    run(board)
    product = board / "config/usb_gadget/fathom/strings/0x409/product"
    product.write_text("touched")

    assert run(board).returncode == 0
    assert product.read_text() == "touched"


def test_a_board_without_such_a_port_is_told_so(board):
    done = run(board)

    assert done.returncode == 1
    assert "USB gadget: no USB port of this board can be a device" in done.stderr
    assert not (board / "config/usb_gadget/fathom").exists()


def test_a_kernel_without_gadgets_is_told_so(tmp_path):
    done = run(tmp_path)

    assert done.returncode == 1
    assert "the kernel has no libcomposite" in done.stderr


def test_taking_away_what_is_not_there_is_no_harm(board):
    assert run(board, "off").returncode == 0
