"""The destinations' delivery loops, by name: those of the configuration in force, however often it changes.

    a forwarder is    its loop
    new               begins
    changed           ends with the attempt under way, and another one goes on at the same cursor
    removed           ends with the attempt under way; its place stays in the spool
    as it was         isn't touched

Two loops of one name never run at once: they have one cursor, and often one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import trio

from forwarders.delivery import Delivery
from forwarders.destination import Destination
from forwarders.settings import ForwarderSettings
from listeners.renewal import Apply
from pipeline.condition import Condition

MakeDelivery = Callable[[ForwarderSettings, Destination], Delivery]


@dataclass(slots=True)
class _Lane:
    """One name's loops, one after the other.

    wanted:   the table in force and its destination; None once it was removed.
    running:  the table of the loop that runs.
    """

    wanted: tuple[ForwarderSettings, Destination] | None
    delivery: Delivery
    running: ForwarderSettings


class Deliveries:
    """All of them.

    Args:
        make_destination: opens nothing.
        make_delivery: the loop of a destination.
    """

    def __init__(self, make_destination: Callable[[ForwarderSettings], Destination], make_delivery: MakeDelivery) -> None:
        self._make_destination, self._make_delivery = make_destination, make_delivery
        self._lanes: dict[str, _Lane] = {}
        self._nursery: trio.Nursery | None = None
        self._finishing = False

    def conditions(self) -> Mapping[str, Condition]:
        """How each destination fares."""
        return {name: lane.delivery.condition for name, lane in self._lanes.items()}

    def begin(self, tables: Sequence[ForwarderSettings], nursery: trio.Nursery) -> None:
        """Serve these tables.

        Args:
            tables: every forwarder; the spool knows them as consumers.
            nursery: where loops run, now and later.

        Raises:
            ConfigError: a destination can't be made.
        """
        self._nursery = nursery
        self.prepare(tables)()

    def prepare(self, tables: Sequence[ForwarderSettings]) -> Apply:
        """Get ready to serve these tables and no others.

        Args:
            tables: every forwarder from now on; the spool knows them as consumers by the time this is put in force.

        Raises:
            ConfigError: a destination can't be made.
        """
        nursery = self._nursery
        if nursery is None:
            raise RuntimeError("not begun")
        in_force = {name: lane.wanted[0] for name, lane in self._lanes.items() if lane.wanted}
        made = {table.name: (table, self._make_destination(table)) for table in tables if in_force.get(table.name) != table}
        gone = in_force.keys() - {table.name for table in tables}

        def apply() -> None:
            for name in gone:
                self._lanes[name].wanted = None
                self._lanes[name].delivery.retire()
            for name, (table, destination) in made.items():
                if name in self._lanes:
                    self._lanes[name].wanted = table, destination
                    self._lanes[name].delivery.retire()
                else:
                    self._lanes[name] = _Lane((table, destination), self._make_delivery(table, destination), table)
                    nursery.start_soon(self._run, name)

        return apply

    def finish(self) -> None:
        """Make every loop end once its destination has all that is in the spool."""
        self._finishing = True
        for lane in self._lanes.values():
            lane.delivery.finish()

    async def _run(self, name: str) -> None:
        lane = self._lanes[name]
        while True:
            await lane.delivery.run()
            if lane.wanted is None:
                lane.delivery.forget()
                del self._lanes[name]
                return
            table, destination = lane.wanted
            if table is lane.running:
                return
            lane.delivery, lane.running = self._make_delivery(table, destination), table
            if self._finishing:
                lane.delivery.finish()
