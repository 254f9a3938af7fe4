"""More tasks in XMedCon and AMIDE, the second collection: they ask for what those of the first one do not ask for.

They are played by the `Desktop` of their program. Their instructions were written from the screens, in the register of
the published annotations, by somebody who had not read the code that is measured.
"""

from __future__ import annotations

from evals.bench.medspot_open.amide_tasks import SHOWN
from evals.bench.medspot_open.desktop import button, check, item, menu, radio, tab
from evals.bench.medspot_open.record import Move, Play

FILE = "head.nii"
_place = "role=scroll pane[name='Places'] >> role=listitem >> nth={}".format
_field = "role=textbox >> nth={}".format


def xmedcon() -> list[Play]:
    """In the window of menus, in that of the images, and in dialogs; nothing is saved."""
    say = Move
    window = f"role=window[name='{FILE}']"
    images, slices = (f"{window} >> role=text[name='Page:']",), f"{window} >> role=drawing area >> nth="
    options = (menu("Options"), item("MedCon"))
    stamps = check("[r] force specified stamps layout")
    raw = (menu("File"), menu("Open Raw"), item("Interactive"), _place(3), f"role=cell[name='{FILE}']")
    return [
        Play("Reslice the volume and look at its second page", FILE, (
            say("Click on the 'Reslice' option from the Images menu", menu("Reslice")),
            say("Select Coronal (XZ) from the sub-menu", item("Coronal (XZ)")),
            say("Click on the 'Next' button at the top to view the next page of slices", button("Next")),
            say("Click on the slice numbered 70", f"{slices}6"),
        ), (menu("Images"),)),
        Play("Sort the images for cine", FILE, (
            say("Click on 'Sort' to see the sorting options", menu("Sort")),
            say("Hover over or click 'Cine' in the sub-menu", menu("Cine")),
            say("Select Apply from the Cine options", item("Apply")),
        ), (menu("Images"),)),
        Play("Extract planes of an ECAT file", FILE, (
            say("Select the Ecat option", item("Ecat")),
            say("Enter the number of beds in the input field", _field(3)),
        ), (menu("Images"), menu("Extract"))),
        Play("Read mosaics with a layout of one's own", FILE, (
            say("Check the 'enable mosaic support' checkbox", check("[r] enable mosaic support")),
            say("Click on the checkbox to force the specified stamps layout", stamps),
            say("Set the height (Y) of the stamps in pixels", "role=spinbutton >> nth=1"),
        ), (*options, tab("Mosaic"))),
        Play("Write files in big endian", FILE, (
            say("Click on the 'Files' tab in the MedCon Options window", tab("Files")),
            say("Select the BIG endian option for writing", radio("[w] writing BIG endian (MSB first)")),
            say("Choose to split the output over each image slice", radio("[w] split over each image slice")),
        ), options),
        Play("Change how DICOM files are written", FILE, (
            say("Check 'write implicit VR little' in the Dicom section", check("[w] write implicit VR little")),
            say("Click on the Cancel button to close the options without saving", button("Cancel")),
        ), (*options, tab("Formats"))),
        Play("View the information of the file", FILE, (
            say("Click on 'Info Show'", item("Info Show")),
            say("Close the file information window using the button at its bottom", button("Close")),
        ), (menu("File"),)),
        Play("Correct the orientation and the number of gates", FILE, (
            say("Select the 'Prone;HeadFirst;Sagittal' orientation", radio("Prone;HeadFirst;Sagittal")),
            say("Click on the Dimensions tab", tab("Dimensions")),
            say("Click on the input field for the gates (R-R intervals)", _field(2)),
        ), (menu("File"), item("Info Edit"))),
        Play("Turn the labels off", FILE, (
            say("Click on Labels in the dropdown menu", item("Labels")),
            say("Change the numbering of the labels to In Page", radio("In Page")),
            say("Select 'OFF' to hide the labels", radio("OFF")),
        ), (menu("Options"),)),
        Play("Open a raw file", FILE, (
            say("Type the general header offset in bytes", _field(1), "352"),
            say("Check the 'Swap pixel bytes' option", check("Swap pixel bytes")),
            say("Click on the 'Continue' button to proceed to the next step", button("Continue")),
        ), (*raw, button("Open File"))),
        Play("Save under an alias in a new folder", FILE, (
            say("Click the 'Alias Name' button", button("Alias Name")),
            say("Click on the new folder icon in the top right corner", button("Create Folder")),
        ), (menu("File"), menu("Save As"), item("Analyze"))),
        Play("Choose other colors by the color bar", FILE, (
            say("Click on the vertical gray scale bar to the right of the images", f"{slices}4"),
            say("Select the Rainbow color map", radio("Rainbow")),
        ), images),
    ]  # fmt: skip


def amide() -> list[Play]:
    """In the window of a study, in those of renderings and wizards, and in dialogs; nothing is saved."""
    say = Move
    bar = "role=toolbar >> "
    cells = "role=tree table >> role=cell[name='{}']"
    rendering = "role=window[name='Rendering Window'] >> "
    rendered = (*SHOWN, menu("View"), item("Volume Rendering"), button("Execute"))
    filters = "role=window[name='Data Set Filtering Wizard'] >> role=combobox"
    short = "Signed Short, Little Endian (16 bit)"
    formats, returned = "role=dialog >> role=combobox >> nth=1", "role=dialog >> role=combobox >> nth=0"
    raw = (menu("File"), menu("Import File (specify)"), item("Raw Data"), _place(3), f"role=cell[name='{FILE}']")
    return [
        Play("View the license of AMIDE", FILE, (
            say("Click on the 'Help' menu in the menu bar", menu("Help")),
            say("Select 'About' from the dropdown menu", item("About")),
            say("Click on the License button", button("License")),
        ), SHOWN),
        Play("View the volume twice, as a minimum intensity projection", FILE, (
            say("Click on the icon with two arrows in the toolbar", bar + radio("2-way")),
            say("Check the box of the head data set in column 2", f"{cells.format('')} >> nth=4"),
            say("Click on the 'mpr' dropdown in the toolbar", bar + "role=combobox"),
            say("Select the minip option", bar + "role=combobox >> role=menuitem[name='minip']"),
        ), SHOWN),
        Play("Overlay data sets in a smaller field of view", FILE, (
            say("Click on the red and green icon to the left of the crosshair icon", bar + radio("Overlay")),
            say("Change the fov value", bar + "role=spinbutton >> nth=1"),
        ), SHOWN),
        Play("Filter the volume with a median", FILE, (
            say("Open the 'Which Filter' dropdown", filters),
            say("Choose median-3d from the list of filters", f"{filters} >> {item('median-3d')}"),
            say("Click on 'Next' to go on with the filtering wizard", button("Next")),
        ), (*SHOWN, menu("Tools"), item("Filter Active Data Set"))),
        Play("Copy a line profile", FILE, (
            say("Select the sagittal option for the line profile", radio("sagittal")),
            say("Click on the 'Copy' button in the profile tool", button("Copy")),
        ), (*SHOWN, menu("Tools"), item("Generate Line Profile"))),
        Play("Render opacity", FILE, (
            say("Click on the first icon in the toolbar of the Rendering Window", button("X-fer")),
            say("Click on the Return Type dropdown menu", returned),
            say("Select 'Opacity' as the return type", f"{returned} >> {item('Opacity')}"),
        ), rendered),
        Play("Render with depth cueing", FILE, (
            say("Click on the 'Edit' menu of the Rendering Window", rendering + menu("Edit")),
            say("Click on 'Rendering Parameters'", item("Rendering Parameters")),
            say("Enable depth cueing by clicking on its checkbox", check("enable/disable depth cueing")),
        ), rendered),
        Play("Make a series over time", FILE, (
            say("Select over Time as the series type", radio("over Time")),
            say("Click the 'Cancel' button to exit the series dialog", button("Cancel")),
        ), (*SHOWN, menu("View"), item("Series"))),
        Play("Set thresholds by center and width", FILE, (
            say("Select the second icon next to Threshold Style", "role=dialog >> role=radio >> nth=1"),
            say("Enter a new width for the extremities", "role=dialog >> role=spinbutton >> nth=5"),
        ), (*SHOWN, menu("Edit"), item("Preferences"), tab("Thresholding"))),
        Play("Import raw data", FILE, (
            say("Click on the data format dropdown", formats),
            say("Select 'Signed Short, Little Endian (16 bit)'", f"{formats} >> {item(short)}"),
            say("Enter the number of voxels in the z dimension", "role=dialog >> role=textbox >> nth=4"),
        ), (*SHOWN, *raw, button("Open"))),
        Play("Add a box", FILE, (
            say("Select the 'Box' shape from the Add ROI options", item("Box")),
            say("Type the name of the ROI", "role=dialog >> role=textbox", "lesion"),
            say("Confirm the name of the new ROI by clicking OK", "role=dialog >> role=button[name='OK']"),
        ), (*SHOWN, menu("Edit"), menu("Add ROI"))),
        Play("Measure a distance", FILE, (
            say("Click on 'Distance Measurements' from the Tools menu", item("Distance Measurements")),
            say("Select head as the ending point", f"role=dialog >> {cells.format('head')} >> nth=1"),
        ), (*SHOWN, menu("Tools"))),
    ]  # fmt: skip
