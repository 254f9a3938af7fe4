"""Form of a desktop program, in Tk, in English or German, that stores its records in a given file.

python -m evals.bench.gui_form FILE [de]
"""

from __future__ import annotations

import json
import sys
import tkinter as tk
from pathlib import Path

WORDS = {
    "": ("Name", "Note", "Save", "Delete", "Saved", "Deleted", "Delete the record of", "OK", "Cancel", "Ready"),
    "de": (
        *("Name", "Notiz", "Speichern", "Löschen", "Gespeichert", "Gelöscht"),
        *("Diesen Eintrag löschen:", "OK", "Abbrechen", "Bereit"),
    ),
}
FIRST = ["Roe: allergic to latex", "Doe: walks with a stick"]
"""Initial records."""


def main(out: Path, language: str = "") -> None:
    """Show the form until the process ends."""
    name_word, note_word, save_word, delete_word, saved, deleted, question, yes, no, ready = WORDS[language]
    root = tk.Tk()
    root.title("Records")
    root.geometry("640x480+200+100")
    name, note, status, shown = (tk.StringVar() for _ in range(4))
    records = list(FIRST)

    def write(told: str) -> None:
        part = out.with_suffix(".part")
        part.write_text(json.dumps(records), "utf-8")
        part.rename(out)
        shown.set("\n".join(records))
        status.set(told)

    def save() -> None:
        records.append(f"{name.get()}: {note.get()}")
        write(f"{saved}: {name.get()}")

    def ask() -> None:
        dialog = tk.Toplevel(root)
        dialog.title("Records")
        dialog.geometry("420x150+310+260")
        dialog.transient(root)
        tk.Label(dialog, text=f"{question} {name.get()}?", font=("DejaVu Sans", 13)).place(x=24, y=24)

        def delete() -> None:
            dialog.destroy()
            records[:] = [record for record in records if not record.startswith(f"{name.get()}: ")]
            write(f"{deleted}: {name.get()}")

        for left, label, act in ((90, yes, delete), (230, no, dialog.destroy)):
            tk.Button(dialog, text=label, command=act, font=("DejaVu Sans", 13)).place(
                x=left, y=84, width=120, height=38
            )
        dialog.grab_set()

    for top, label, held in ((60, name_word, name), (110, note_word, note)):
        tk.Label(root, text=label, font=("DejaVu Sans", 13)).place(x=24, y=top + 4)
        tk.Entry(root, textvariable=held, font=("DejaVu Sans", 13), insertofftime=0).place(
            x=150, y=top, width=420, height=36
        )
    for left, label, act in ((150, save_word, save), (300, delete_word, ask)):
        tk.Button(root, text=label, command=act, font=("DejaVu Sans", 13)).place(x=left, y=180, width=140, height=38)
    tk.Label(root, textvariable=shown, justify="left", font=("DejaVu Sans", 12)).place(x=150, y=240)
    tk.Label(root, textvariable=status, font=("DejaVu Sans", 12)).place(x=24, y=430)
    root.after(100, lambda: write(ready))
    root.mainloop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
