"""Engines kept warm between photos: the one place that makes them, chooses among them and lets them go."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

from ..catalogue import owner_of_checkpoint
from .base import Engine, EngineOptions
from .registry import EngineReadiness, create_engine, engine_states, resolve

log = logging.getLogger(__name__)


class EnginePool:
    """One warm engine at a time: large networks do not fit beside each other. Any thread; a photo holds it while it runs.

    Args:
        options: how engines are made. A checkpoint goes to the engine that it belongs to and to no other.
        idle_seconds: after so long without a photo the memory is given back; None: when :meth:`unload` says so.
    """

    def __init__(self, options: EngineOptions | None = None, idle_seconds: float | None = None) -> None:
        self.options = options or EngineOptions()
        self._idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._engine: tuple[tuple[str, str], Engine] | None = None
        self._timer: threading.Timer | None = None

    @property
    def loaded(self) -> str:
        """Name of the engine that is warm; empty if none is."""
        engine = self._engine
        return engine[0][0] if engine is not None else ""

    def states(self) -> list[EngineReadiness]:
        """Every engine with its state, as these options have it."""
        return engine_states(self.options.checkpoint, self.options.checkpoint_of)

    def resolve(self, name: str = "auto", has_depth: bool = False) -> str:
        """The engine that a name stands for here.

        Args:
            name: of an engine, or ``auto``.
            has_depth: whether a depth file comes with the photo.

        Raises:
            ImageTo3DError: see :func:`~image_to_3d.engines.registry.resolve`.
        """
        if name == "auto" and not has_depth:
            name = self.options.preferred
        beside_auto = self.options.checkpoint_of == "auto"
        return resolve(name, has_depth, self.options.checkpoint if beside_auto else None)

    @contextlib.contextmanager
    def use(self, name: str, precision: str | None = None) -> Iterator[Engine]:
        """The engine, made if it is not warm; another one is unloaded first to make room.

        Args:
            name: as :meth:`resolve` gives it.
            precision: of the network; None: as the options say.

        Raises:
            ImageTo3DError: see :func:`~image_to_3d.engines.registry.create_engine`, and from the engine.
        """
        with self._lock:
            self._stop_timer()
            try:
                yield self._warm(name, precision or self.options.precision)
            finally:
                self._start_timer()

    def unload(self) -> None:
        """Give back the memory of the engine; waits for a photo that is under way."""
        with self._lock:
            self._stop_timer()
            if self._engine is not None:
                (name, _), engine = self._engine
                self._engine = None
                engine.unload()
                log.info("%s was unloaded", name)

    def _warm(self, name: str, precision: str) -> Engine:
        wanted = (name, precision)
        if self._engine is None or self._engine[0] != wanted:
            self.unload()
            self._engine = wanted, create_engine(name, self._options_of(name, precision))
        return self._engine[1]

    def _options_of(self, name: str, precision: str) -> EngineOptions:
        """Another network's checkpoint is not merely useless: what cannot be loaded is taken for damaged."""
        mine = name == owner_of_checkpoint(self.options.checkpoint_of)
        return replace(self.options, precision=precision, checkpoint=self.options.checkpoint if mine else None)

    def _start_timer(self) -> None:
        if self._idle_seconds is None or self._engine is None:
            return
        self._timer = threading.Timer(self._idle_seconds, self._on_idle)
        self._timer.daemon = True
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_idle(self) -> None:
        timer = threading.current_thread()
        with self._lock:
            if timer is self._timer:  # no photo came while this waited for the lock
                self.unload()
