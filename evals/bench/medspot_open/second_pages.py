"""More tasks in the programs that are pages, the second collection: of what those of the first one do not ask for."""

from __future__ import annotations

from evals.bench.medspot_open.record import Move, Play
from evals.bench.medspot_open.ward_tasks import PAGE, opened, opened_german, row


def ward() -> list[Play]:
    """In the ward's record, in English."""
    url = PAGE.as_uri()
    say = Move
    dialog = "role=dialog >> "
    return [
        Play("Get help, then see the orders of the ward", url, (
            say("Click on the question mark icon in the top bar", "header >> [aria-label=Help]"),
            say("Select 'Orders' from the left panel.", "nav >> text=Orders"),
        )),
        Play("Look at a bed without changing it", url, (
            say("Click on the edit icon of Fournier, Paul", row("Fournier", "[aria-label=Edit]")),
            say("Click on the 'Cancel' button to keep the bed as it is", f"{dialog}text=Cancel"),
        )),
        Play("Remove a patient", url, (
            say("Click on the bin icon in the last row of the patient table", row("Fournier", "[aria-label=Delete]")),
            say("Confirm the deletion of the patient", f"{dialog}button.danger"),
        )),
        Play("Begin an order", url, (
            say("Click on the 'Open' button of the patient in bed 15 A.", row("15 A", "button:has-text('Open')")),
            say("Select the 'Order entry' tab", "role=tab[name='Order entry']"),
            say("Click on the Route dropdown menu", "#route"),
            say("Click on the input field for the start date.", "#start", "01.12.2026"),
        )),
        Play("Keep an order as a draft", url, (
            say("Check the 'Needs second signature' checkbox", "text=Needs second signature >> input"),
            say("Type the remark in the comment box", "#comment", "with food"),
            say("Save the order as draft", "text=Save draft"),
        ), opened("Castro", "Order entry")),
        Play("Give an order up", url, (
            say("Select the Emergency option from the priority choices", "label:has-text('Emergency')"),
            say("Click on 'Cancel' at the bottom of the order form.", "main >> button:has-text('Cancel')"),
        ), opened("Adler", "Order entry")),
        Play("Think about stopping a drug", url, (
            say("Tick the Given checkbox of Enoxaparin", "role=checkbox[name='Given Enoxaparin']"),
            say("Click on the 'Stop' button for Paracetamol", row("Paracetamol", "text=Stop")),
            say("Click the Keep button to continue the medication", f"{dialog}text=Keep"),
        ), opened("Fournier", "Medication")),
        Play("Leave a dose as it is", url, (
            say("Click on 'Change' for the drug that is given subcutaneously", row("subcutaneous", "text=Change")),
            say("Close the dialog with the Cancel button.", f"{dialog}text=Cancel"),
            say("Click on the download icon above the table", "main >> [aria-label=Download]"),
        ), opened("Dimitrov", "Medication")),
        Play("Go through the laboratory values", url, (
            say("Click on the 'Trend' link of CRP", row("CRP", "a")),
            say("Select the result of Haemoglobin in the table", row("Haemoglobin", "td >> nth=1")),
            say("Click on the Previous button", "footer >> text=Previous"),
        ), opened("Brandt", "Lab results")),
        Play("Write in a note", url, (
            say("Click inside the text area of the note", "main >> textarea"),
            say("Click on the zoom out icon from the notes toolbar", "[aria-label='Zoom out']"),
        ), opened("Castro", "Notes")),
        Play("Correct the allergies and take the blood pressure", url, (
            say("Click on the 'Edit' button in the Allergies window", f"{dialog}text=Edit"),
            say("Click on the Blood pressure field.", "#bp", "130/85"),
            say("Click on the Back button next to the bed number", "text=Back"),
        ), (*opened("Fournier"), ".allergy >> text=Details")),
        Play("Do not sign yet", url, (
            say("Close the 'Sign order' window using the cross icon", f"{dialog}[aria-label=Close]"),
            say("Click on 'Worklist' in the side menu", "nav >> text=Worklist"),
        ), (*opened("Eriksen", "Order entry"), "text=Sign order")),
    ]  # fmt: skip


def ward_german() -> list[Play]:
    """In the ward's record in German, with German and English instructions."""
    url = f"{PAGE.as_uri()}?lang=de"
    say = Move
    dialog = "role=dialog >> "
    return [
        Play("Das Bett ändern", url, (
            say(
                "Klicken Sie auf das Stiftsymbol in der Zeile von Castro, Lucía",
                row("Castro", "[aria-label=Bearbeiten]"),
            ),
            say("Tragen Sie das neue Bett in das Feld 'Bett' ein", "#bed", "17 C"),
            say("Bestätigen Sie die Änderung mit 'Speichern'.", f"{dialog}button:has-text('Speichern')"),
        )),
        Play("Wechselwirkungen prüfen", url, (
            say(
                "Setzen Sie bei Furosemide das Häkchen für Verabreicht",
                "role=checkbox[name='Verabreicht Furosemide']",
            ),
            say("Auf die Schaltfläche 'Wechselwirkungen' klicken", "main >> text=Wechselwirkungen"),
            say("Schließen Sie das Fenster über das Kreuz oben rechts", f"{dialog}[aria-label=Schließen]"),
        ), opened_german("Fournier", "Medikation")),
        Play("Eine Anordnung verwerfen", url, (
            say("Öffnen Sie das Auswahlmenü 'Häufigkeit'.", "#often"),
            say("Klicken Sie in das Feld für den Beginn", "#start", "01.12.2026"),
            say("Wählen Sie bei der Dringlichkeit die Option Dringend", "label:has-text('Dringend')"),
            say("Auf 'Abbrechen' unten im Formular klicken", "main >> button:has-text('Abbrechen')"),
        ), opened_german("Adler", "Anordnung")),
        Play("Order a drug on the German page", url, (
            say("Click on the blue 'Medikament hinzufügen' button", "text=Medikament hinzufügen"),
            say("Check the checkbox 'Zweite Unterschrift nötig'.", "text=Zweite Unterschrift nötig >> input"),
            say("Click inside the Bemerkung box", "#comment", "nüchtern"),
        ), opened_german("Eriksen", "Medikation")),
        Play("Move about the German list", url, (
            say("Click on the help icon in the upper right corner", "header >> [aria-label=Hilfe]"),
            say("Select 'Nachrichten' from the left menu", "nav >> text=Nachrichten"),
            say("Click on the right arrow icon under the patient table.", "[aria-label='Nächste Seite']"),
        )),
        Play("Den Verlauf der Glucose ansehen", url, (
            say("Klicken Sie in der Zeile Glucose auf 'Verlauf'", row("Glucose", "a")),
            say("Mit 'Weiter' zur nächsten Seite der Laborwerte gehen", "footer >> text=Weiter"),
        ), opened_german("Dimitrov", "Laborwerte")),
        Play("Eine Notiz anlegen", url, (
            say("Klicken Sie auf das Plus-Symbol", "[aria-label='Neue Notiz']"),
            say("Speichern Sie die Notiz über das Diskettensymbol.", "main >> [aria-label=Speichern]"),
            say("Wechseln Sie zum Reiter 'Anordnung'", "role=tab[name='Anordnung']"),
        ), opened_german("Brandt", "Notizen")),
    ]  # fmt: skip


def explorer(address: str) -> list[Play]:
    """In Orthanc's explorer; what is changed for good is the label of one patient, that no other task opens."""
    look = f"{address}/app/explorer.html"
    people, query, upload = f"{look}#find-patients", f"{look}#query-retrieve", f"{look}#upload"
    say = Move
    active = ".ui-page-active "
    dialog = ".ui-simpledialog-container "

    def link(text: str) -> str:
        return f"{active}a:has-text('{text}'):visible"

    def entry(text: str) -> str:
        return f"{active}li:has-text('{text}'):visible"

    def head(text: str) -> str:
        return f"{active}[data-role=header] >> a:has-text('{text}')"

    def choice(text: str) -> str:
        return f"{active}label.ui-btn:has-text('{text}')"

    def button(text: str) -> str:
        return f"{active}.ui-btn:has-text('{text}') >> visible=true"

    spine = (link("Doe^Archibald"), link("XR C Spine"), link("Cervical LAT"), link("Instance: 1"))
    return [
        Play("Look for a label, then at the jobs", look, (
            say("Click on the Labels field", f"{active}#lookup-study-labels", "urgent"),
            say("Click on the 'Jobs' button in the top right corner.", head("Jobs")),
            say("Click on the filter box above the list of jobs", f"{active}.ui-input-search:visible"),
        )),
        Play("Query another archive by name", query, (
            say("Select 'Patient Name' as the field of interest", choice("Patient Name")),
            say("Enter the name in the 'Value for this field' box", f"{active}#qr-value", "Doe*"),
            say("Select the CT option from the modalities", choice("CT")),
            say("Click on the 'Search studies' button to start the query.", button("Search studies")),
        )),
        Play("Test the connection", query, (
            say("Choose Accession Number from the 'Field of interest' list", choice("Accession Number")),
            say("Click on Test Echo", button("Test Echo")),
        )),
        Play("Give an upload up", upload, (
            say("Click on 'Clear the pending uploads'", link("Clear the pending uploads")),
            say("Click on the Plugins icon in the top panel", head("Plugins")),
            say("Select the web-viewer plugin from the list", entry("web-viewer")),
        )),
        Play("Open an electrocardiogram", people, (
            say("Select the patient 'Anonymous' with the PatientID 642341", link("642341")),
            say("Click on the ECG study to open it.", link("ECG")),
        )),
        Play("Read the tags of an image", people, (
            say("Click on the series 'ANGIO Projected from C'", link("ANGIO")),
            say("Select Instance 4 from the list of instances", link("Instance: 4")),
            say("Uncheck 'Show tag description'.", choice("Show tag description")),
        ), (link("Doe^Peter"), link("Brain-MRA"))),
        Play("Go back to the series and preview it", people, (
            say("Go back to the series by clicking on 'Cervical LAT' in the left panel", link("Cervical LAT")),
            say("Click on 'Preview this series' in the Access section", link("Preview this series")),
        ), spine),
        Play("Give a patient a label", people, (
            say("Click inside the text field of the 'Add label' dialog.", f"{dialog}input", "urgent"),
            say("Confirm the new label by clicking the OK button", f"{dialog}a:has-text('OK')"),
        ), (link("Lestrade^G"), link("Add label"))),
        Play("Do not send a study", people, (
            say("Click on the 'Testing File-set' study", link("Testing File-set")),
            say("Click on 'Send to DICOM modality'", link("Send to DICOM modality")),
            say("Close the 'Choose target' window with the cross icon", f"{dialog}a[title=Close]"),
        ), (link("Citizen^Jan"),)),
        # The last one: the tab that it opens lies over the page, which is then drawn no more.
        Play("Show a series in the viewer", people, (
            say("Open the study named Carotids", link("Carotids")),
            say("Select the FAST LOCALIZER series with the series number 2", link("SeriesNumber: 2")),
            say("Click on the yellow 'Orthanc Web Viewer' button", button("Orthanc Web Viewer")),
        ), (link("Doe^Peter"),)),
    ]  # fmt: skip


def viewer(address: str, series: str) -> list[Play]:
    """In Orthanc's web viewer, on one series."""
    url = f"{address}/web-viewer/app/viewer.html?series={series}"
    say = Move
    panel, opened = ".jsPanel:visible button[title='{}']", ("#open-toolbar",)
    return [
        Play("Stretch the contrast and fit the image", url, (
            say("Click on the second icon of the Windowing tools", panel.format("Stretch contrast")),
            say("Click on the picture icon under Zoom", panel.format("Adjust")),
        ), opened),
        Play("Take an image out and go to another", url, (
            say("Click on the down arrow icon in the View section", panel.format("Download DICOM")),
            say("Click on the slider at the bottom of the screen", "#slider"),
        ), opened),
        Play("Put the tools away", url, (
            say("Select the lung icon from the Windowing section", panel.format("Lung")),
            say("Hide the tools by clicking on the Orthanc icon above the panel.", "#open-toolbar"),
        ), (*opened, panel.format("Reverse contrast"))),
        Play("Resize the tools and leave for Orthanc's page", url, (
            say("Click on the resize handle in the lower right corner of the tool panel", ".jsPanel .ui-resizable-se"),
            say("Click on the 'ORTHANC' logo at the top of the panel", ".jsPanel-title a"),
        ), (*opened, panel.format("Zoom out"))),
    ]  # fmt: skip
