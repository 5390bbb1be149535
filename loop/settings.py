"""The only reader of the environment: `PERTLOOP_*` variables."""

from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loop.domain.errors import InvalidError
from loop.ports.engine import Compute


class Settings(BaseSettings):
    """Where state lives and where the engine computes.

    Attributes:
        home: Folder of the SQLite file, snapshots, inputs and artefacts.
        database_url: Another database than the SQLite file in `home`.
        device: 'cpu', 'cuda' or 'cuda:1'.
        dtype: 'float32' or 'float64'.
        threads: CPU threads of the engine; 0 leaves it to torch.
        user: Who acts, in the log; the operating system's name by default.
    """

    model_config = SettingsConfigDict(env_prefix="PERTLOOP_", env_ignore_empty=True, frozen=True)

    home: Path = Path(".pertloop")
    database_url: str | None = None
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 0
    user: str | None = None

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'pertloop.db'}"

    @property
    def compute(self) -> Compute:
        """Where the engine computes."""
        return Compute(self.device, self.dtype, self.threads)


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        InvalidError: If a variable cannot be understood; the sentence names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "PERTLOOP_" + "_".join(str(part) for part in first["loc"]).upper()
        msg = f"{name}={first.get('input')!r} cannot be used: {first['msg'].lower()}."
        raise InvalidError(msg) from error
