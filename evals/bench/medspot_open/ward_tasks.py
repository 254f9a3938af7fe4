"""Tasks in the ward's record, a page of our own with invented patients, in English and German."""

from __future__ import annotations

from pathlib import Path

from evals.bench.medspot_open.record import Move, Play

PAGE = Path(__file__).parent / "ward.html"


def row(name: str, control: str) -> str:
    """The selector of a control in the row of a patient or a drug."""
    return f"tr:has-text('{name}') >> {control}"


def opened(name: str, tab: str = "") -> tuple[str, ...]:
    """The clicks that open a patient's record, and a tab of it."""
    return row(name, "button:has-text('Open')"), *((f"role=tab[name='{tab}']",) if tab else ())


def opened_german(name: str, tab: str = "") -> tuple[str, ...]:
    """The same on the German page."""
    return row(name, "button:has-text('Öffnen')"), *((f"role=tab[name='{tab}']",) if tab else ())


def english() -> list[Play]:
    """In English."""
    url = PAGE.as_uri()
    say = Move
    given = "role=checkbox[name='Given {}']"
    return [
        Play("Open a patient's medication", url, (
            say("Click the Open button next to Brandt, Otto", row("Brandt", "button:has-text('Open')")),
            say("Go to the Medication tab", "role=tab[name='Medication']"),
        )),
        Play("Delete a patient, then think better of it", url, (
            say("Click on the trash icon in the row of \"Castro, Lucía\"", row("Castro", "[aria-label=Delete]")),
            say("Click Cancel in the dialog", "role=dialog >> text=Cancel"),
        )),
        Play("Change a patient's bed", url, (
            say("Press the pencil icon for Eriksen, Maja", row("Eriksen", "[aria-label=Edit]")),
            say("Type 17 C into the Bed field", "#bed", "17 C"),
            say("Click on 'Save'", "role=dialog >> button:has-text('Save')"),
        )),
        Play("Stop a drug", url, (
            say("Click the Stop button next to Furosemide", row("Furosemide", "text=Stop")),
            say("Open the Reason drop-down", "#why"),
            say("Confirm by pressing the \"Stop medication\" button in the dialog", "role=dialog >> button.danger"),
        ), opened("Adler", "Medication")),
        Play("Close a dialog by its cross", url, (
            say("Click Change in the row of Ramipril", row("Ramipril", "text=Change")),
            say("Click the X in the top right corner of the dialog", "role=dialog >> [aria-label=Close]"),
        ), opened("Adler", "Medication")),
        Play("Document what was given", url, (
            say("Tick the checkbox for Metformin", given.format("Metformin")),
            say("Check the Given box in the row of Paracetamol", given.format("Paracetamol")),
            say("Click on the printer icon next to Interactions", "main >> [aria-label=Print]"),
        ), opened("Dimitrov", "Medication")),
        Play("Order a drug", url, (
            say("Enter Amoxicillin into the \"Medication or test\" field", "#what", "Amoxicillin"),
            say("Click into the Dose field", "#dose", "500 mg"),
            say("Open the Frequency dropdown menu", "#often"),
        ), opened("Fournier", "Order entry")),
        Play("Set an order's priority", url, (
            say("Select the Urgent radio button", "text=Urgent >> input"),
            say("Tick \"Notify nurse\"", "text=Notify nurse >> input"),
            say("Click Sign order", "text=Sign order"),
        ), opened("Fournier", "Order entry")),
        Play("Sign an order", url, (
            say("Press the blue Sign order button", "text=Sign order"),
            say("Click on the Password field", "#pass", "secret"),
            say("Click the Sign button", "role=dialog >> button.main"),
        ), opened("Brandt", "Order entry")),
        Play("Dismiss the warning of allergies", url, (
            say("Open the Details link in the allergy banner", ".allergy >> text=Details"),
            say("Click Close at the bottom of the dialog", "role=dialog >> .foot >> text=Close"),
            say("Click the cross at the right end of the allergy banner", ".allergy >> [aria-label=Dismiss]"),
        ), (row("Castro", "button:has-text('Open')"),)),
        Play("Look at a laboratory value", url, (
            say("Open the Lab results tab", "role=tab[name='Lab results']"),
            say("Click on Trend in the row for Creatinine", row("Creatinine", "a")),
            say("Go to the next page with Next", "footer >> text=Next"),
        ), (row("Adler", "button:has-text('Open')"),)),
        Play("Find a patient", url, (
            say("Click into the Search patient field at the top", "header >> input", "Adler"),
            say("Click the magnifier icon", "header >> [aria-label=Search]"),
        )),
        Play("Use the tool bar", url, (
            say("Click the refresh icon in the top right", "header >> [aria-label=Refresh]"),
            say("Open the settings with the gear icon", "header >> [aria-label=Settings]"),
            say("Click Log out", "text=Log out"),
        )),
        Play("Hide the menu", url, (
            say("Click the hamburger menu icon in the upper left corner", "header >> [aria-label=Menu]"),
            say("Click on the home icon", "header >> [aria-label=Home]"),
        )),
        Play("Work on a note", url, (
            say("Click the plus icon to begin a new note", "[aria-label='New note']"),
            say("Click the save icon", "main >> [aria-label=Save]"),
            say("Click the zoom in icon", "[aria-label='Zoom in']"),
        ), opened("Eriksen", "Notes")),
        Play("Delete a note", url, (
            say("Press the trash icon", "main >> [aria-label=Delete]"),
            say("Press the red Delete button in the dialog", "role=dialog >> button.danger"),
        ), opened("Eriksen", "Notes")),
        Play("Turn over the list of patients", url, (
            say("Click the right arrow below the table", "[aria-label='Next page']"),
            say("Click the left arrow icon", "[aria-label='Previous page']"),
        )),
        Play("Take vital signs", url, (
            say("Put the cursor in the Pulse field", "#pulse", "72"),
            say("Click the field to the right of \"Temperature\"", "#temp", "37.2"),
            say("Click the Record button", "text=Record"),
        ), (row("Dimitrov", "button:has-text('Open')"),)),
        Play("Go from the list to the notes", url, (
            say("Open the fourth row with its Open button", row("Dimitrov", "button:has-text('Open')")),
            say("Click the link All notes below Recent notes", "text=All notes"),
            say("Click \"Back\" to return to the list", "text=Back"),
        )),
        Play("Check interactions", url, (
            say("Press Interactions", "main >> text=Interactions"),
            say("Close the dialog", "role=dialog >> [aria-label=Close]"),
            say("Click Add medication", "text=Add medication"),
        ), opened("Brandt", "Medication")),
        Play("Use the menu at the left", url, (
            say("Click on Messages in the left menu", "nav >> text=Messages"),
            say("Click on \"Documents\"", "nav >> text=Documents"),
        )),
        Play("Change the second drug", url, (
            say("Click the second Change button", row("Ramipril", "text=Change")),
            say("Click the field below Dose", "#newdose", "10 mg"),
            say("Click the button right of Cancel", "role=dialog >> button:has-text('Save')"),
        ), opened("Castro", "Medication")),
    ]  # fmt: skip


def german() -> list[Play]:
    """In German, with German and English instructions."""
    url = f"{PAGE.as_uri()}?lang=de"
    say = Move
    return [
        Play("Medikation öffnen", url, (
            say("Klicken Sie auf \"Öffnen\" neben Adler, Greta", row("Adler", "text=Öffnen")),
            say("Wählen Sie den Reiter Medikation", "role=tab[name='Medikation']"),
        )),
        Play("Ein Arzneimittel absetzen", url, (
            say(
                "Klicken Sie auf die Schaltfläche „Absetzen“ in der Zeile von Metformin",
                row("Metformin", "text=Absetzen"),
            ),
            say("Klicken Sie im Dialog auf \"Beibehalten\"", "text=Beibehalten"),
        ), opened_german("Brandt", "Medikation")),
        Play("Eine Anordnung schreiben", url, (
            say("Geben Sie Ibuprofen in das Feld \"Arzneimittel oder Untersuchung\" ein", "#what", "Ibuprofen"),
            say("Klicken Sie in das Feld Dosis", "#dose", "400 mg"),
            say("Klicken Sie auf Anordnung unterschreiben", "text=Anordnung unterschreiben"),
        ), opened_german("Castro", "Anordnung")),
        Play("Dringlichkeit", url, (
            say("Wählen Sie \"Notfall\"", "text=Notfall >> input"),
            say("Setzen Sie das Häkchen bei \"Pflege benachrichtigen\"", "text=Pflege benachrichtigen >> input"),
            say("Klicken Sie auf \"Entwurf speichern\"", "text=Entwurf speichern"),
        ), opened_german("Castro", "Anordnung")),
        Play("Laborwerte ansehen", url, (
            say("Öffnen Sie den Reiter \"Laborwerte\"", "role=tab[name='Laborwerte']"),
            say("Klicken Sie auf Verlauf in der Zeile von Potassium", row("Potassium", "a")),
        ), (row("Fournier", "text=Öffnen"),)),
        Play("Suchen", url, (
            say("Klicken Sie in das Feld \"Patient suchen\"", "header >> input", "Brandt"),
            say("Klicken Sie auf das Lupensymbol", "header >> [aria-label=Suchen]"),
        )),
        Play("German page, English instructions", url, (
            say("Click the \"Patient aufnehmen\" button", "text=Patient aufnehmen"),
            say("Click the printer icon at the top right", "header >> [aria-label=Drucken]"),
            say("Click \"Abmelden\"", "text=Abmelden"),
        )),
        Play("Allergies on the German page", url, (
            say("Click the link \"Einzelheiten\"", "text=Einzelheiten"),
            say("Click on \"Bearbeiten\" in the dialog", "role=dialog >> text=Bearbeiten"),
        ), (row("Eriksen", "text=Öffnen"),)),
        Play("Einen Patienten löschen", url, (
            say(
                "Klicken Sie auf das Papierkorb-Symbol in der Zeile von \"Dimitrov, Ivan\"",
                row("Dimitrov", "[aria-label=Löschen]"),
            ),
            say("Klicken Sie auf \"Löschen\" im Dialog", "role=dialog >> button.danger"),
        )),
        Play("Vitalzeichen erfassen", url, (
            say("Klicken Sie in das Feld Blutdruck", "#bp", "120/80"),
            say("Klicken Sie auf das Feld rechts von Temperatur", "#temp", "36,8"),
            say("Klicken Sie auf \"Erfassen\"", "text=Erfassen"),
        ), (row("Adler", "text=Öffnen"),)),
        Play("Notizen", url, (
            say("Klicken Sie auf den Reiter Notizen", "role=tab[name='Notizen']"),
            say("Click the upload icon", "[aria-label=Hochladen]"),
            say("Klicken Sie auf \"Zurück zur Liste\"", "text=Zurück zur Liste"),
        ), (row("Brandt", "text=Öffnen"),)),
        Play("Seitenmenü", url, (
            say("Klicken Sie auf Kalender in der Seitenleiste", "nav >> text=Kalender"),
            say("Klicken Sie auf das Zahnrad oben rechts", "header >> [aria-label=Einstellungen]"),
        )),
    ]  # fmt: skip
