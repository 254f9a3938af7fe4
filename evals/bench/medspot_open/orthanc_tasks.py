"""Tasks in Orthanc's explorer and in its web viewer, over pydicom's test files."""

from __future__ import annotations

from evals.bench.medspot_open.record import Move, Play


def explorer(address: str) -> list[Play]:
    """In the explorer; nothing is deleted or sent, for those steps are not the last ones that are clicked."""
    look, people = f"{address}/app/explorer.html", f"{address}/app/explorer.html#find-patients"
    say = Move
    active = ".ui-page-active "

    def link(text: str) -> str:
        return f"{active}a:has-text('{text}'):visible"

    def field(name: str) -> str:
        return f"{active}#lookup-{name}"

    search = f"{active}.ui-btn:has-text('Do lookup') >> visible=true"

    def head(text: str) -> str:
        return f"{active}[data-role=header] >> a:has-text('{text}')"

    entry = f"{active}li:has-text('Doe^Archibald') >> nth=0"
    archibald = (link("Doe^Archibald"),)
    study = (*archibald, link("XR C Spine"))
    return [
        Play("List all patients", look, (
            say("Click on the 'All patients' button", link("All patients")),
            say("Select the patient Doe^Archibald", link("Doe^Archibald")),
        )),
        Play("List all studies", look, (
            say("Click All studies", link("All studies")),
            say("Click the Lookup button in the top left corner", head("Lookup")),
        )),
        Play("Look for a patient by name", look, (
            say("Click on the Patient Name field", field("patient-name"), "Doe*"),
            say("Click the yellow Do lookup button", search),
        )),
        Play("Look for an accession number", look, (
            say("Type 2 in the Accession Number field", field("accession-number"), "2"),
            say("Press \"Do lookup\"", search),
        )),
        Play("Fill in the form from field to field", look, (
            say("Click into the field below the Patient Name field", field("accession-number"), "1"),
            say("Click the input box right of 'Study Description:'", field("study-description"), "CT"),
        )),
        Play("Choose a date", look, (
            say("Click on the Patient ID text box", field("patient-id"), "77"),
            say("Open the Study Date drop-down menu", f"{active}.ui-select:has(#lookup-study-date)"),
        )),
        Play("Open a patient's study", people, (
            say("Open the patient named Citizen^Jan", link("Citizen^Jan")),
            say("Click on the Filter items... field", f"{active}input[data-type=search]"),
        )),
        Play("Filter the patients", people, (
            say("Click in the search field at the top of the page", f"{active}input[data-type=search]", "Doe"),
            say("Click on Doe^Peter", link("Doe^Peter")),
        )),
        Play("Choose patients by their number", people, (
            say("Open the patient whose PatientID is 8NM1", link("8NM1")),
            say("Click Download DICOMDIR", link("Download DICOMDIR")),
        )),
        Play("Open the first study", people, (
            say("Click on the study 'XR C Spine Comp Min 4 Views'", link("XR C Spine")),
            say("Click on the series Cervical LAT", link("Cervical LAT")),
        ), archibald),
        Play("Do not delete a patient", people, (
            say("Click Delete this patient", link("Delete this patient")),
            say("Click on Cancel", "a:has-text('Cancel'):visible"),
        ), archibald),
        Play("Close the question instead of answering it", people, (
            say("Press 'Delete this study' in the Interact section", link("Delete this study")),
            say("Close the dialog with the X icon at its top left", "a[title=Close]:visible"),
        ), study),
        Play("Add a label to a patient", people, (
            say("Click on the box that says Filter items...", f"{active}input[data-type=search]"),
            say("Click Add label in the Labels section", link("Add label")),
        ), archibald),
        Play("Go back to the patient", people, (
            say("Click the patient entry Doe^Archibald in the left panel", entry),
            say("Click \"Send to remote modality\"", link("Send to remote modality")),
        ), study),
        Play("Take data out", people, (
            say("Open the study from Sunday, September 3, 1995", link("CT, HEAD/BRAIN")),
            say("Click Copy link to ZIP", link("Copy link to ZIP")),
        ), archibald),
        Play("Query another archive", look, (
            say("Click Query/Retrieve at the top right", head("Query/Retrieve")),
            say("Click Lookup", head("Lookup")),
        )),
        Play("See what plugins are there", look, (
            say("Click on Plugins", head("Plugins")),
            say("Go back to the Lookup page", head("Lookup")),
        )),
        Play("Upload files", look, (
            say("Open Upload in the top right corner", head("Upload")),
            say("Press Start the upload", link("Start the upload")),
        )),
        Play("Open the study in the second row", people, (
            say("Open the study CT, HEAD/BRAIN WO CONTRAST", link("CT, HEAD/BRAIN")),
            say("Click Anonymize", link("Anonymize")),
        ), archibald),
        Play("Protect a patient", people, (
            say("Click the Unprotected switch", f"{active}.ui-slider"),
            say("Click on 'Anonymize' in the 'Interact' section", link("Anonymize")),
        ), (link("Citizen^Jan"),)),
    ]  # fmt: skip


def viewer(address: str, series: str) -> list[Play]:
    """In the web viewer, on one series."""
    url = f"{address}/web-viewer/app/viewer.html?series={series}"
    say = Move
    panel, opened = ".jsPanel:visible button[title='{}']", ("#open-toolbar",)
    return [
        Play("Open the tools and learn about the series", url, (
            say("Click the button with the Orthanc logo in the top left corner", "#open-toolbar"),
            say("Click the info icon below View", panel.format("Series information")),
        )),
        Play("Look closer", url, (
            say("Click the second icon below \"Zoom\"", panel.format("Zoom in")),
            say("Click the zoom out icon", panel.format("Zoom out")),
        ), opened),
        Play("Change the quality", url, (
            say("Press the M button under Quality", panel.format("Medium quality")),
            say("Press H", panel.format("Best quality (lossless)")),
        ), opened),
        Play("Choose the lowest quality", url, (
            say("Click L in the Quality group", panel.format("Low quality")),
            say("Click the first icon below Windowing", panel.format("Default windowing")),
        ), opened),
        Play("Invert and smooth", url, (
            say("Click the blue arrows icon, second in the View group", panel.format("Reverse contrast")),
            say("Click the third icon below View", panel.format("Interpolation")),
        ), opened),
        Play("Change the window to that of bones", url, (
            say("Click the last icon below Windowing", panel.format("Bone")),
            say("Click the third icon below Windowing", panel.format("Lung")),
        ), opened),
    ]  # fmt: skip
