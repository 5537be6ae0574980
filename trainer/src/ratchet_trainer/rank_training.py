# pyright: basic
# transformers and TRL are only partly typed.
"""What a trainer does otherwise because it may be one of several ranks: a split model, parts of a checkpoint."""

import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers import set_seed

from .adapters import adapter_state, count_parameters
from .errors import naming
from .ranks import of_all_ranks, own_rank, rank_count, rng_file
from .runtime import numpy_seed
from .sharding import is_sharded, shard, shard_optimizer_state, whole_optimizer_state

if TYPE_CHECKING:
    from transformers import Trainer as _Behind
else:
    _Behind = object


class TrainingOverRanks(_Behind):
    """Mixin in front of a transformers trainer.

    A checkpoint is that of one process, whatever the ranks: only the generators of the others come on top.
    """

    run: Any

    def create_optimizer(self, model: Any = None) -> Any:
        """Splits the model first where the job says so; checkpoints are loaded whole before that."""
        run = self.run
        run.parameters = count_parameters(self.model)
        if rank_count() > 1 and run.job.distributed.strategy == "fsdp":
            shard(self.model, run.base.device)
        return super().create_optimizer(model)

    def give_checkpoint_parts(self) -> None:
        """What ranks other than 0 do while it writes a checkpoint, in the order of `_take`."""
        if is_sharded(self.model):
            adapter_state(self.accelerator.unwrap_model(self.model))
            self.optimizer_state()
        with tempfile.TemporaryDirectory() as folder:
            self._save_rng_state(folder)

    def optimizer_state(self) -> dict[str, Any]:
        """The optimizer's own state, whole where it is split; every rank must call it then."""
        optimizer = cast("Any", self.optimizer)
        return whole_optimizer_state(optimizer) if is_sharded(self.model) else optimizer.state_dict()

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _reading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)
        shard_optimizer_state(self.optimizer)

    def _save_rng_state(self, output_dir: str) -> None:
        """Writes this process's generators; on rank 0 also those of the others, as `rng_state_1.pth` and so on."""
        super()._save_rng_state(output_dir)
        states = of_all_ranks((Path(output_dir) / rng_file(0)).read_bytes() if own_rank() > 0 else b"")
        for rank, state in enumerate(states[1:] if own_rank() == 0 else [], 1):
            (Path(output_dir) / rng_file(rank)).write_bytes(state)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None or own_rank() == 0:
            with _reading(checkpoint):
                super()._load_rng_state(checkpoint)
            return
        own = Path(checkpoint) / rng_file(own_rank())
        if not own.exists():  # of a run with fewer ranks: any numbers will do, as long as they are the same every time
            set_seed(numpy_seed(self.run.job.seed + own_rank() + self.run.state.step))
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(own, Path(folder) / rng_file(0))
            with _reading(checkpoint):
                super()._load_rng_state(folder)


def _reading(checkpoint: str | None) -> AbstractContextManager[None]:
    """Names a file of a checkpoint that cannot be read."""
    return naming("badCheckpoint", f"checkpointing.resumeFrom: {checkpoint}", "Resume from the checkpoint before it.")
