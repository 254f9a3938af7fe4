"""Tasks in AMIDE, Debian's viewer of volumes, over a phantom; its tool bar has icons without words."""

from __future__ import annotations

from evals.bench.medspot_open.desktop import Desktop, button, check, item, menu, radio, tab
from evals.bench.medspot_open.record import Move, Play

FILE = "head.nii"
_TREE = "role=tree table >> role=cell[name='{}']"
SHOWN = (button("OK"), f"{_TREE.format('')} >> nth=2")
"""Clicks that take a warning about the file away, and show the volume by the box before its name."""


def tasks() -> list[Play]:
    """In the window of a study and in dialogs; nothing is saved."""
    say = Move
    bar, tables = "role=toolbar >> ", (*SHOWN, menu("Edit"), item("Preferences"), tab("Default Color Tables"))
    flight = menu("Generate Fly Through")
    mri = "role=dialog >> role=combobox >> nth=3"
    radios = "role=dialog >> role=radio"
    threshold = "role=dialog[name='Threshold Dialog'] >> "
    return [
        Play("Open the preferences for thresholds", FILE, (
            say('Click on the "Edit" menu', menu("Edit")),
            say('Select "Preferences"', item("Preferences")),
            say('Open the "Thresholding" tab', tab("Thresholding")),
        ), SHOWN),
        Play("Add an ellipsoid", FILE, (
            say('Click on the "Edit" menu in the top left', menu("Edit")),
            say('Click on "Add ROI"', menu("Add ROI")),
            say('Select "Ellipsoid"', item("Ellipsoid")),
        ), SHOWN),
        Play("Set thresholds", FILE, (
            say("Click the color bar icon in the toolbar", bar + button("Threshold")),
            say('Open the "Color Table" drop-down menu', threshold + "role=combobox"),
            say('Select "hot blue"', threshold + "role=combobox >> role=menuitem[name='hot blue']"),
        ), SHOWN),
        Play("Zoom in", FILE, (
            say("Click on the zoom field in the toolbar", bar + "role=spinbutton >> nth=0"),
            say("Change the thickness (mm) value", bar + "role=spinbutton >> nth=2"),
        ), SHOWN),
        Play("Show slices side by side", FILE, (
            say('Click on "View" in the menu bar', menu("View")),
            say("Click 'Series'", item("Series")),
            say('Select the "coronal" radio button', radio("coronal")),
        ), SHOWN),
        Play("Make a series of sagittal slices", FILE, (
            say("Select sagittal as the view type", radio("sagittal")),
            say("Press the Execute button", button("Execute")),
        ), (*SHOWN, menu("View"), item("Series"))),
        Play("Prepare a rendering", FILE, (
            say('Check the box "Accelerate Rendering?"', "role=checkbox >> nth=1"),
            say("Tick the last checkbox in the dialog", "role=checkbox >> nth=2"),
            say('Click the "Cancel" button', button("Cancel")),
        ), (*SHOWN, menu("View"), item("Volume Rendering"))),
        Play("Mark a point", FILE, (
            say("Open the Edit menu", menu("Edit")),
            say("Click Add Fiducial Mark", item("Add Fiducial Mark")),
            say("Type tip into the text box", "role=dialog >> role=textbox", "tip"),
        ), SHOWN),
        Play("Name a point", FILE, (
            say("Click in the empty text field of the dialog", "role=dialog >> role=textbox", "apex"),
            say('Click "OK"', "role=dialog >> role=button[name='OK']"),
        ), (*SHOWN, menu("Edit"), item("Add Fiducial Mark"))),
        Play("Show three volumes side by side, without the coronal view", FILE, (
            say("Click the coronal view icon in the toolbar", bar + button("Coronal")),
            say("Click on the icon with three arrows, just left of the color bar", bar + radio("3-way")),
            say("Turn on the crosshair icon", bar + button("Target")),
        ), SHOWN),
        Play("Fly through coronal slices", FILE, (
            say('Click the "Tools" menu', menu("Tools")),
            say('Click on "Generate Fly Through"', flight),
            say('Select "Coronal"', f"{flight} >> {item('Coronal')}"),
        ), SHOWN),
        Play("Set where the flight begins and ends", FILE, (
            say("Click in the field next to End Position (mm)", "role=dialog >> role=spinbutton >> nth=1"),
            say("Press the Set Start Position button below the picture", button("Set Start Position")),
            say("Cancel the dialog", button("Cancel")),
        ), (*SHOWN, menu("Tools"), flight, f"{flight} >> {item('Transverse')}")),
        Play("Export the volume", FILE, (
            say('Click on the "File" menu', menu("File")),
            say('Select "Export Data Set"', item("Export Data Set")),
            say('Choose "Resliced Orientation - head"', radio("Resliced Orientation - head")),
        ), SHOWN),
        Play("Choose a format for the export", FILE, (
            say("Select the third radio button under Original Orientation", radio("All Visible Data Sets (resliced)")),
            say("Open the drop-down list next to export format", "role=dialog >> role=combobox"),
        ), (*SHOWN, menu("File"), item("Export Data Set"))),
        Play("Calculate over the brightest voxels", FILE, (
            say('Select the radio button next to "Calculate over % highest voxels:"', f"{radios} >> nth=5"),
            say('Check "More Accurate Quantitation (Slow)"', check("More Accurate Quantitation (Slow)")),
            say('Click on "Cancel"', button("Cancel")),
        ), (*SHOWN, menu("Tools"), item("Calculate ROI Statistics"))),
        Play("Calculate over all regions", FILE, (
            say("In the row On All Data Sets, select the option under All ROIS", f"{radios} >> nth=0"),
            say("Select the radio button for Calculate for voxels >= Value", f"{radios} >> nth=7"),
            say("Click Cancel", button("Cancel")),
        ), (*SHOWN, menu("Tools"), item("Calculate ROI Statistics"))),
        Play("Change how regions are drawn", FILE, (
            say('Click in the "ROI Width (pixels)" field', "role=dialog >> role=spinbutton >> nth=0"),
            say('Uncheck "Maintain view size constant"', "role=dialog >> role=checkbox"),
            say('Click "Close" at the bottom right of the dialog', "role=dialog >> role=button[name='Close']"),
        ), (*SHOWN, menu("Edit"), item("Preferences"))),
        Play("Choose colours for MRI", FILE, (
            say("Open the drop-down for the default mri color table", mri),
            say("Select hot green", f"{mri} >> role=menuitem[name='hot green']"),
            say("Go to the Miscellaneous tab", tab("Miscellaneous")),
        ), tables),
        Play("Have no question asked at the end", FILE, (
            say('Click on the "Miscellaneous" tab', tab("Miscellaneous")),
            say("Uncheck the box next to Prompt for \"Save Changes\" on Exit", "role=dialog >> role=checkbox >> nth=1"),
            say('Click "Close"', "role=dialog >> role=button[name='Close']"),
        ), tables),
        Play("Hide the volume in the list", FILE, (
            say("Uncheck the checkbox to the left of head", f"{_TREE.format('')} >> nth=2"),
            say("Select head in the list on the left", _TREE.format("head")),
        ), SHOWN),
        Play("Crop the volume", FILE, (
            say('Open the "Tools" menu', menu("Tools")),
            say('Select "Crop Active Data Set"', item("Crop Active Data Set")),
            say('Click the "Next" button', button("Next")),
        ), SHOWN),
        Play("Import a file of a certain kind", FILE, (
            say("Click File at the top left of the window", menu("File")),
            say("Click on Import File (specify)", menu("Import File (specify)")),
            say("Choose NIFTI via (X)MedCon", item("NIFTI via (X)MedCon")),
        ), SHOWN),
    ]  # fmt: skip


AMIDE = Desktop("amide", tasks)
