"""How long a repair waits for what was given up."""

from lib.operate.audits import repairing
from lib.operate.audits.findings import MISSING, SAME, Finding


def test_what_is_given_up_is_asked_by_seconds_and_looked_at_last():
    now, asked, looked_at = 0.0, list[float](), list[str]()

    def look(key: str) -> Finding:
        nonlocal now
        now += 4  # looks take time, too
        looked_at.append(key)
        return Finding(key, SAME if key == "mended" and now > 30 else MISSING)

    def given_up() -> set[str]:
        asked.append(now)
        return {"a", "b"}

    repairing.wait(["a", "b", "mended"], look, 600, lambda _: None, given_up, clock=lambda: now)
    assert asked == [12, 24, 36]
    assert looked_at == ["a", "b", "mended", *["mended", "a", "b"] * 3]
