"""Who tries out links is slowed down; who has a good one never is."""

from __future__ import annotations

from tests.backend.pages.site import Site


def test_after_twenty_links_that_lead_nowhere_an_address_waits_and_a_good_link_still_opens(site: Site) -> None:
    invited = site.register()
    with site.client() as client:
        found = [client.get(f"/aktivasi/akt_{number:043}").status_code for number in range(25)]
        assert set(found[:15]) == {404}
        assert found[-1] == 429
        refused = client.get("/aktivasi/akt_unknown")
        assert 1 <= int(refused.headers["Retry-After"]) <= 600
        assert "Terlalu banyak permintaan" in refused.text
        assert client.get(invited.path).status_code == 200
        assert client.post("/aktivasi/akt_unknown", data={"password": "x"}).status_code == 429
