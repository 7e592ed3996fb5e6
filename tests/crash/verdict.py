"""The table at the end of a run: what was found beside what was promised."""


class Verdict:
    """`table` has a row for what was counted, `faults` what may not be."""

    def __init__(self):
        self.table, self.faults = [], []

    def row(self, what, found, must=None, ok=True):
        self.table.append((what, found, "" if must is None else must, ok))
        if not ok:
            self.faults.append(f"{what}: {found} (must be {must})")

    def none(self, what, found):
        self.row(what, found, 0, found == 0)

    def close(self, suite):
        """Ends the installation, whose end is judged, too; its folder is kept when anything was wrong."""
        suite.keep, suite.keep_faulty = bool(self.faults), True
        try:
            suite.close()
        except AssertionError as fault:
            self.faults.append(str(fault))

    def text(self):
        width = max((len(row[0]) for row in self.table), default=0)
        lines = [f"{'' if ok else '!'}{what:<{width}} | {found}" + (f" | {must}" if must != "" else "")
                 for what, found, must, ok in self.table]
        return "\n".join(lines + [""] + [f"VIOLATION {fault}" for fault in self.faults])
