"""All that a storage holds, to compare two of them."""

from loop.ports.storage import Storage


def contents(storage: Storage) -> dict[str, object]:
    with storage.reading() as work:
        campaigns = work.campaigns.all()
        return {
            "campaigns": campaigns,
            **{
                campaign.name: {
                    "batches": work.batches.of(campaign.name),
                    "dispatches": work.dispatches.of(campaign.name),
                    "files": work.results.files(campaign.name),
                    "measurements": work.results.current(campaign.name),
                    "rejected": work.results.rejected(campaign.name),
                    "snapshots": work.snapshots.of(campaign.name),
                    "log": work.log.of(campaign.name),
                }
                for campaign in campaigns
            },
        }
