from tests.loop.campaigning import TINY, bench


def test_reference_designs_are_kept_by_their_canonical_keys(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", reference=["G02+G01|K562", "G03+G04|K562"]))
    assert desk.record.campaign.batch.reference == ("G01+G02|K562", "G03+G04|K562")


def test_a_plate_need_not_hold_more_contexts_than_a_batch_can_have(tmp_path):
    many = [f"c{number}" for number in range(40)]
    desk = bench(tmp_path, TINY.with_("library", contexts=many))
    assert len(desk.dispatched().choices) == 6
