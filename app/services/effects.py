"""Effects that need no Temporal: proofs of targets and of e-mail domains looked for, the graph brought up to date."""

from uuid import UUID

from app.core.errors import NotFound, Unavailable
from app.core.outbound import Policy, one_look
from app.core.settings import settings
from app.db.units import Home, Units
from app.graph.gateway import Graph
from app.graph.projections import project_scan
from app.models.assets import Asset
from app.outbox.relay import Delivery, Handler, Postponed
from app.scanners.ownership import check_dns
from app.services import audit_seals, email_domains, exports, notices, proofs, scans
from app.services.pictures import scan_picture
from app.services.plans import entitlements
from app.tenancy.actors import system_actor

WORKER = system_actor("worker")


def proof_checks(units: Units) -> Handler:
    """Return the handler of `proof.check`: looks outside of any transaction, then writes down what was seen.

    For a tenant that is closed nobody looks: it is asked for anew when the tenant works again.
    """

    def check(delivery: Delivery) -> None:
        asset_id = UUID(delivery.payload["asset_id"])
        try:
            with units.open(Home.CONTENT, WORKER) as unit:
                if not entitlements(unit).open:
                    return
                proof = proofs.find_proof(unit, asset_id)
                asset = unit.session.get_one(Asset, (unit.tenant_id, asset_id))
                token, url, host = proof.token, asset.url, asset.host
        except NotFound:
            return
        if url is None or host is None:
            return
        attempts = proofs.look_for_proof(token, url, host, _policy())
        with units.open(Home.CONTENT, WORKER) as unit:
            proofs.note_attempts(unit, asset_id, attempts)
            unit.commit()

    return check


def domain_checks(units: Units) -> Handler:
    """Return the handler of `domain.check`: like `proof.check`, for the record of an e-mail domain."""

    def check(delivery: Delivery) -> None:
        domain_id = UUID(delivery.payload["domain_id"])
        try:
            with units.open(Home.ACCOUNT, WORKER) as unit:
                if not entitlements(unit).open:
                    return
                found = email_domains.find_domain(unit, domain_id)
                token, domain = found.token, found.domain
        except NotFound:
            return
        attempts = check_dns(domain, token, _policy())
        with units.open(Home.ACCOUNT, WORKER) as unit:
            email_domains.note_attempts(unit, domain_id, attempts)
            unit.commit()

    return check


def quota_warnings(units: Units) -> Handler:
    """Return the handler of `quota.warning`: tells the owners by mail, once for each level and period."""

    def warn(delivery: Delivery) -> None:
        with units.open(Home.ACCOUNT, WORKER) as unit:
            notices.warn_owners(unit, delivery.payload)
            unit.commit()

    return warn


def plan_notices(units: Units) -> Handler:
    """Return the handler of `plan.notice`: tells owners and staff where a request for another plan stands."""

    def tell(delivery: Delivery) -> None:
        with units.open(Home.ACCOUNT, WORKER) as unit:
            notices.tell_of_request(unit, UUID(delivery.payload["request_id"]), delivery.payload["status"])
            unit.commit()

    return tell


def graph_scans(units: Units, graph: Graph | None) -> Handler:
    """Return the handler of `graph.scan`: brings the graph up to a finished scan; waits while the graph is down."""

    def project(delivery: Delivery) -> None:
        if graph is None:
            return
        with units.open(Home.CONTENT, WORKER) as unit:
            picture = scan_picture(unit, UUID(delivery.payload["scan_id"]))
        if picture is None:
            return
        try:
            project_scan(graph, picture)
        except Unavailable as error:
            raise Postponed from error

    return project


def tenant_stops(units: Units) -> Handler:
    """Return the handler of `tenant.stop`: cancels the scans of a tenant that was closed."""

    def stop(_delivery: Delivery) -> None:
        stopped = 1
        while stopped:
            with units.open(Home.CONTENT, WORKER) as unit:
                stopped = scans.stop_scans(unit)
                unit.commit()

    return stop


def export_signatures(units: Units, master_key: bytes) -> Handler:
    """Return the handler of `export.sign`: signs the manifest of an export with the installation's key."""

    def sign(delivery: Delivery) -> None:
        with units.open(Home.ACCOUNT, WORKER) as unit:
            key = audit_seals.signing_key(unit.session, master_key)
            exports.sign_export(unit, UUID(delivery.payload["export_id"]), key)
            unit.commit()

    return sign


def _policy() -> Policy:
    given = settings()
    agent = f"Sentinel/1.0 (proof of control; +{given.base_url}/about/scans)"
    return one_look(given.allowed_targets, given.resolvers, max_bytes=4096, user_agent=agent)
