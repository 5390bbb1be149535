import pytest

from loop.demo import run_demo
from loop.domain.errors import NotEnoughCandidatesError
from tests.loop.campaigning import provided


class StartedError(Exception):
    pass


def stop(made):
    raise StartedError(made.campaign.batch.size)


@pytest.mark.parametrize(("perturbagens", "batch"), [(16, 24), (240, 96)])
def test_a_batch_is_as_large_as_the_pairs_allow_for_all_rounds(tmp_path, perturbagens, batch):
    with pytest.raises(StartedError, match=f"^{batch}$"):
        run_demo(provided(tmp_path), 5, perturbagens, started=stop)


def test_more_rounds_than_the_pairs_do_for_are_refused_before_anything_is_made(tmp_path):
    services = provided(tmp_path)
    with pytest.raises(NotEnoughCandidatesError, match="16 perturbagens make 120 pairs"):
        run_demo(services, 16, 16)
    with services.storage.reading() as work:
        assert work.campaigns.all() == []
    assert not services.settings.home.joinpath("demo").exists()
