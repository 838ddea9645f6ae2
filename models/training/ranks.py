"""One training on several devices: a process for each, on one machine.

The process that called ``fit`` is rank 0. It forks the others before it computes anything, tells them through pipes
what to do, and alone validates, checkpoints and reports. Each rank takes its part of every batch through a network of
its own; gradients are sums over samples, so their sum over the ranks is that of the whole batch, however it divides.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_NOTICE_SECONDS = 5.0
"""How soon rank 0 must have noticed by itself that another rank is gone."""
_FIND_SECONDS = 2.0
"""How long the reason for the loss of a rank is looked for."""
_FORK = multiprocessing.get_context("fork")


class RankFailed(RuntimeError):
    """A rank other than 0 ended; the message has its number and its error. ``code``: -signal, if one ended it."""

    def __init__(self, rank: int, count: int, reason: str, code: int | None) -> None:
        super().__init__(f"rank {rank} of {count} failed: {reason}")
        self.rank, self.code = rank, code


class PeerLost(RuntimeError):
    """Another rank is gone, or cannot be reached."""


class Follower(Protocol):
    """What a rank other than 0 can be told."""

    def step(self) -> Any:
        """Take part in a step of all ranks."""

    def forget_sums(self) -> None:
        """Begin to sum loss and hits anew."""

    def own_state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint needs of this rank alone: its sums, its random generators."""


_ANSWERED = ("own_state",)


class Ranks:
    """This process among the ``count`` of one training; ``device`` is its own."""

    def __init__(self, rank: int, count: int, device: torch.device, folder: str) -> None:
        self.rank, self.count, self.device = rank, count, device
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")  # nothing leaves this machine
        if device.type == "cuda":
            torch.cuda.set_device(device)
        store = dist.FileStore(os.path.join(folder, "store"), count)  # type: ignore[attr-defined]  # it is there
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count)

    def part(self, whole: Tensor) -> Tensor:
        """This rank's part of a batch [N, ...]; the parts differ by at most one sample, and may be empty."""
        return whole.tensor_split(self.count)[self.rank]

    def offset(self, samples: int) -> int:
        """Where this rank's part of so many samples begins."""
        each, rest = divmod(samples, self.count)
        return self.rank * each + min(self.rank, rest)

    def add_up(self, parameters: Sequence[nn.Parameter]) -> None:
        """Make every gradient the sum over all ranks. Ranks without a sample add nothing."""
        found = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        flat = torch.cat([one.reshape(-1) for one in found])
        try:
            dist.all_reduce(flat)
        except RuntimeError as error:
            raise PeerLost(f"the ranks cannot add up their gradients: {error}") from error
        parts = torch.split(flat, [one.numel() for one in found])
        for parameter, gradient, total in zip(parameters, found, parts, strict=True):
            # into the gradient's own memory, whose layout is the parameter's
            parameter.grad = gradient.copy_(total.view(gradient.shape))


class Team(Ranks):
    """Rank 0, which leads: the other ranks do what it tells, in that order."""

    def __init__(self, count: int, device: torch.device, follow: Callable[[Ranks], Follower]) -> None:
        """Fork the other ranks; each makes its training by ``follow``.

        It must come before torch computes with several threads here, and before CUDA is touched: neither can be forked.
        """
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            raise ValueError("several devices need a process that has not used CUDA yet")
        self._folder = tempfile.TemporaryDirectory(prefix="ranks-")
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._closed = self._joined = False
        self.count, self.device = count, device
        try:
            for rank in range(1, count):
                self._fork(rank, _device(device, rank), follow)
            threading.Thread(target=self._watch, name="ranks", daemon=True).start()
            with self._failing():
                super().__init__(0, count, _device(device, 0), self._folder.name)
            self._joined = True
        except BaseException:
            self.close()
            raise

    def _fork(self, rank: int, device: torch.device, follow: Callable[[Ranks], Follower]) -> None:
        ours, theirs = _FORK.Pipe()
        arguments = (rank, self.count, device, self._folder.name, theirs, [*self._pipes, ours], os.getpid(), follow)
        process = _FORK.Process(target=_main, args=arguments, name=f"rank-{rank}", daemon=True)
        with warnings.catch_warnings():
            # newer Pythons warn of threads: ours hold no lock here, and none computes yet
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def tell(self, order: str) -> None:
        """Have every other rank do something: the name of a method of :class:`Follower`."""
        with self._failing():
            for pipe in self._pipes:
                pipe.send(order)

    def ask(self, order: str) -> list[Any]:
        """The same, and what each gives back, from rank 1 on."""
        self.tell(order)
        with self._failing():
            said = [pipe.recv() for pipe in self._pipes]
        if failure := _earliest(said, self.count):
            raise failure
        return [one.value for one in said]

    def add_up(self, parameters: Sequence[nn.Parameter]) -> None:
        with self._failing():
            super().add_up(parameters)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Says what was wrong with another rank, where all that is seen here is that it is gone."""
        failure = None
        try:
            yield
        except (RuntimeError, EOFError, OSError):
            failure = self._failure()
            if failure is None:
                raise
        if failure is not None:
            raise failure  # out here: the first error's frames would hold the process group, which must end

    def _failure(self) -> RankFailed | None:
        """Why a rank is gone, if one is; ranks that are gone because another one is say nothing."""
        deadline = time.monotonic() + _FIND_SECONDS
        while time.monotonic() < deadline:
            for rank, process in enumerate(self._processes, 1):
                if process.exitcode is not None and process.exitcode < 0:
                    name = signal.Signals(-process.exitcode).name
                    return RankFailed(rank, self.count, f"it was ended by {name}", process.exitcode)
            said: list[_Said] = []
            for pipe in self._pipes:
                with contextlib.suppress(EOFError, OSError):
                    while pipe.poll():
                        said.append(pipe.recv())
            if failure := _earliest(said, self.count):
                return failure
            time.sleep(0.02)
        return None

    def _watch(self) -> None:
        """End this process, too, if it waits for a rank that is gone and would never notice.

        That is so while the ranks meet, and with NCCL; gloo notices by itself.
        """
        wait([process.sentinel for process in self._processes])
        time.sleep(_NOTICE_SECONDS)
        blind = not self._joined or self.device.type == "cuda"
        if blind and not self._closed and (failure := self._failure()):
            print(failure, file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """End the other ranks."""
        self._closed = True
        for process in self._processes:
            process.kill()
            process.join()
        for pipe in self._pipes:
            pipe.close()
        if self._joined and self.device.type == "cpu":  # NCCL would wait for the ranks that are gone
            dist.destroy_process_group()
        self._folder.cleanup()


@dataclass(frozen=True)
class _Said:
    """What a rank sends: the answer to an order, or its error and when that was (monotonic clock)."""

    rank: int
    value: Any = None
    error: str | None = None
    at: float = 0.0


def _earliest(said: Sequence[_Said], count: int) -> RankFailed | None:
    failed = [one for one in said if one.error is not None]
    if not failed:
        return None
    first = min(failed, key=lambda one: one.at)
    return RankFailed(first.rank, count, str(first.error), None)


def joined(states: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Tensor]:
    """The own states of all ranks, from 0 on, under one name each: those of rank 2 begin with "rank2/"."""
    return {
        (f"rank{rank}/" if rank else "") + key: torch.from_numpy(value)
        for rank, own in enumerate(states)
        for key, value in own.items()
    }


def apart(state: dict[str, Tensor], rank: int, count: int) -> dict[str, Tensor]:
    """A checkpoint's state as this rank of ``count`` restores it. The sums of ranks that are no more go to rank 0."""
    found = {key: value for key, value in state.items() if not re.match(r"rank\d+/", key)}
    if rank:
        found = {key: value for key, value in found.items() if not key.startswith(("sums/", "generator/"))}
        mine = f"rank{rank}/"
        return found | {key.removeprefix(mine): value for key, value in state.items() if key.startswith(mine)}
    for key, value in state.items():
        gone = re.match(r"rank(\d+)/(sums/(?:loss|reported))$", key)
        if gone and int(gone[1]) >= count:
            found[gone[2]] = found[gone[2]] + value
    return found


def _main(
    rank: int,
    count: int,
    device: torch.device,
    folder: str,
    pipe: Connection,
    leaders: Sequence[Connection],
    parent: int,
    follow: Callable[[Ranks], Follower],
) -> None:
    """The process of a rank other than 0."""
    gc.freeze()  # what rank 0 has done away with, an earlier process group perhaps, is not ours to end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # rank 0 decides
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NAME, f"rank-{rank}".encode(), 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to die with it
    for one in leaders:  # rank 0's ends, which a fork copies: they would keep the pipes open
        one.close()
    try:
        follower = follow(Ranks(rank, count, device, folder))
        while True:
            order = pipe.recv()
            value = getattr(follower, order)()
            if order in _ANSWERED:
                pipe.send(_Said(rank, value))
    except EOFError:
        return
    except PeerLost:
        sys.exit(1)  # the rank that was first has said why, or the signal that ended it does
    except BaseException as error:
        at = time.monotonic()
        traceback.print_exc()
        kind = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
        with contextlib.suppress(OSError):
            pipe.send(_Said(rank, error=f"{kind}: {error}", at=at))
        sys.exit(1)


def _device(device: torch.device, rank: int) -> torch.device:
    return torch.device("cuda", rank) if device.type == "cuda" else device
