"""The two systems of Linux whose ports a third party may connect: JACK and ALSA. Decides nothing.

One client each, for as long as it lasts: clients that are made again and again leak in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hw.errors import PanelError
from hw.patchbay import Cable, Port, PortSystem

CLIENT = "Fathom patch bay"
LIBRARIES = {  # system: module, package, and the library of the distribution that it loads
    "ALSA": ("alsa_midi", "alsa-midi", "libasound2"),
    "JACK": ("jack", "JACK-Client", "libjack-jackd2-0"),
}


def open_ports(system: str, owner: int) -> PortSystem:
    """The ports of that system; ours belong to the process `owner`.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    if system not in LIBRARIES:
        raise PanelError(f"MIDI: ports of {system} are not connected by Fathom; connect them by hand.")
    module, package, library = LIBRARIES[system]
    lost = "so nothing is connected by itself"
    try:
        return JackPorts() if system == "JACK" else AlsaPorts(owner)
    except ModuleNotFoundError as error:
        missing = package if error.name == module else error.name
        raise PanelError(f"MIDI: {missing} is not installed, {lost}. Run `pip install {missing}`.") from None
    except (ImportError, OSError) as error:
        raise PanelError(f"MIDI: {error}, {lost}. Run `sudo apt install {library}`.") from None
    except Exception as error:
        raise PanelError(f"MIDI: {system} cannot be asked for its ports ({error}), {lost}.") from None


class JackPorts:
    """JACK's ports by name. They are known by that name, so one that comes back is the same."""

    def __init__(self) -> None:
        import jack

        jack.set_error_function(lambda text: None)  # it would print
        jack.set_info_function(lambda text: None)
        self._client = jack.Client(CLIENT, no_start_server=True)
        self._stopped = False
        self._client.set_shutdown_callback(self._stop)

    def ports(self, own: Iterable[str]) -> list[Port]:
        if self._stopped:
            raise PanelError("MIDI: JACK stopped, and with it every port; start it, then `make play` again.")
        ports = []
        for port in self._client.get_ports(is_midi=True):
            name = port.name
            client, _, _ = name.partition(":")
            ports.append(Port(name, client, name, port.is_output, name in own, port.is_physical))
        return ports

    def cables(self, port: Port) -> set[Cable]:
        others = [other.name for other in self._client.get_all_connections(str(port.key))]
        return {(port.key, other) if port.source else (other, port.key) for other in others}

    def connect(self, source: Port, sink: Port) -> None:
        self._client.connect(source.key, sink.key)

    def disconnect(self, source: Port, sink: Port) -> None:
        self._client.disconnect(source.key, sink.key)

    def close(self) -> None:
        self._client.close()

    def _stop(self, *why: Any) -> None:
        self._stopped = True


class AlsaPorts:
    """The ports of the kernel's sequencer, known by their address, without System and Midi Through.

    The tests have a stand-in; tried by hand with a USB device that was pulled and plugged in, on Linux 6.1.
    """

    def __init__(self, owner: int) -> None:
        import alsa_midi

        self._alsa = alsa_midi
        self._owner = owner
        self._client = alsa_midi.SequencerClient(CLIENT)

    def ports(self, own: Iterable[str]) -> list[Port]:
        caps, hardware = self._alsa.PortCaps, self._alsa.PortType.HARDWARE
        ports = []
        for found in self._client.list_ports(include_midi_through=False, sort=False):
            address = (found.client_id, found.port_id)
            name = f"{found.client_name}:{found.name}"
            ours = name in own and self._client.get_client_info(found.client_id).pid == self._owner
            for source, way in ((True, caps.SUBS_READ), (False, caps.SUBS_WRITE)):
                if found.capability & way:
                    is_hardware = bool(found.type & hardware)
                    ports.append(Port(address, found.client_name, name, source, ours, is_hardware))
        return ports

    def cables(self, port: Port) -> set[Cable]:
        kind = self._alsa.SubscriptionQueryType
        found = self._client.list_port_subscribers(port.key, kind.READ if port.source else kind.WRITE)
        others = [tuple(subscriber.addr) for subscriber in found]
        return {(port.key, other) if port.source else (other, port.key) for other in others}

    def connect(self, source: Port, sink: Port) -> None:
        self._client.subscribe_port(source.key, sink.key)

    def disconnect(self, source: Port, sink: Port) -> None:
        self._client.unsubscribe_port(source.key, sink.key)

    def close(self) -> None:
        self._client.close()
