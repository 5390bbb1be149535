"""Campaigns by name, and the version check that decides between two writers."""

from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.campaign import Campaign
from loop.domain.errors import CampaignNotFoundError
from loop.store.lookup import campaign_exists, no_campaign, stale
from loop.store.mapping import campaign_of, campaign_row
from loop.store.refusals import refusing
from loop.store.tables import CampaignRow


class SqlCampaigns:
    """`Campaigns` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, campaign: Campaign) -> None:
        """Store a new campaign."""
        taken = campaign_exists(campaign.name)
        with refusing(self._session, lambda: taken, lambda: taken):
            self._session.add(campaign_row(campaign))

    def get(self, name: str) -> Campaign:
        """The campaign of this name."""
        row = self._session.scalars(
            select(CampaignRow).where(col(CampaignRow.name) == name)
        ).one_or_none()
        if row is None:
            raise missing_campaign(self._session, name)
        return campaign_of(row)

    def all(self) -> list[Campaign]:
        """Every campaign, oldest first."""
        oldest_first = select(CampaignRow).order_by(
            col(CampaignRow.created_at), col(CampaignRow.id)
        )
        return [campaign_of(row) for row in self._session.scalars(oldest_first)]

    def advance(self, campaign: Campaign) -> Campaign:
        """Count one change, if nobody else has counted one since `campaign` was read."""
        counted = self._session.scalars(
            update(CampaignRow)
            .where(
                col(CampaignRow.name) == campaign.name,
                col(CampaignRow.version) == campaign.version,
            )
            .values(version=col(CampaignRow.version) + 1)
            .returning(col(CampaignRow.version))
        ).one_or_none()
        if counted is None:
            raise stale(campaign.name, f"version {campaign.version} is no longer the newest")
        return replace(campaign, version=counted)


def missing_campaign(session: Session, name: str) -> CampaignNotFoundError:
    """The error for a campaign that is not there, which names the nearest."""
    return no_campaign(name, session.scalars(select(col(CampaignRow.name))))
