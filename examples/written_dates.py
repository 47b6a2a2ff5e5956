"""Writes a table of dates, as people write them and as ISO 8601 does, to learn the second from the first.

python examples/written_dates.py dates.tsv
"""

import random
import sys
from datetime import date, timedelta
from pathlib import Path

FORMS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{short} {day} {year}",
    "{weekday}, {day} {month} {year}",
    "{day}.{number}.{year}",
    "the {day} of {month}, {year}",
)


def main(path: Path, count: int = 3000) -> None:
    drawn, rows = random.Random(0), {}
    while len(rows) < count:
        day = date(1900, 1, 1) + timedelta(days=drawn.randrange(55_000))
        written = drawn.choice(FORMS).format(
            day=day.day,
            month=f"{day:%B}",
            short=f"{day:%b}",
            number=day.month,
            weekday=f"{day:%A}",
            year=day.year,
        )
        rows[written] = day.isoformat()
    path.write_text("".join(f"{written}\t{iso}\n" for written, iso in rows.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
