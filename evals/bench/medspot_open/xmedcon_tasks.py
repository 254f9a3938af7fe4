"""Tasks in XMedCon, Debian's converter of medical images, over a phantom of 12 slices and two files of pydicom."""

from __future__ import annotations

from evals.bench.medspot_open.desktop import Desktop, button, check, item, menu, radio, tab
from evals.bench.medspot_open.record import Move, Play

FILE = "head.nii"


def tasks() -> list[Play]:
    """In the program's own window of menus, in that of the images, and in dialogs; what is saved goes with its home."""
    say = Move
    # A click on a word that does nothing brings the window of images to the front.
    images = (f"role=window[name='{FILE}'] >> role=text[name='Page:']",)
    colors = (menu("Options"), menu("Colormap"), item("Colors"))
    options = (menu("Options"), item("MedCon"))
    edit = (menu("File"), item("Info Edit"))
    place = "role=scroll pane[name='Places'] >> role=listitem >> nth={}"
    formats = "role=file chooser[name='Save File'] >> role=combobox"
    return [
        Play("Flip the images horizontally", FILE, (
            say('Click on the "Images" menu', menu("Images")),
            say('Select the "Flip" option', menu("Flip")),
            say('Click on "Horizontal"', item("Horizontal")),
        )),
        Play("Open the choice of colour maps", FILE, (
            say('Open the "Options" menu in the menu bar', menu("Options")),
            say("Click Colormap", menu("Colormap")),
            say("Click on Colors in the submenu", item("Colors")),
        )),
        Play("Show the images in the colours of hot metal", FILE, (
            say('Select the "Hotmetal" radio button', radio("Hotmetal")),
            say('Click the "Apply" button', button("Apply")),
        ), colors),
        Play("Change the colour of the labels", FILE, (
            say("Click the Labels button below the images", button("Labels")),
            say("Select the second radio button under Color", radio("Green")),
            say("Click Apply", button("Apply")),
        ), images),
        Play("Have images flipped when they are read", FILE, (
            say('Switch to the "Slices" tab', tab("Slices")),
            say('Check the "flip vertical" checkbox', check("[r] flip vertical")),
            say("Click the Apply button at the bottom of the window", button("Apply")),
        ), options),
        Play("Save the images as NIfTI", FILE, (
            say('Click "File" in the menu bar', menu("File")),
            say("Click on 'Save As'", menu("Save As")),
            say("Select NIfTI from the list of formats", item("NIfTI")),
        )),
        Play("Save the images under their default name", FILE, (
            say('Click in the "Name" field at the top of the window', "role=textbox", "scan"),
            say('Click the "Default Name" button', button("Default Name")),
            say('Press the "Save File" button in the bottom right corner', button("Save File")),
        ), (menu("File"), menu("Save As"), item("DICOM"))),
        Play("Open another image", FILE, (
            say("Click on the images folder in the left sidebar", place.format(3)),
            say("Select the file knee.dcm", "role=cell[name='knee.dcm']"),
            say('Click "Open File"', button("Open File")),
        ), (menu("File"), item("Open"))),
        Play("Choose how images are drawn, and leave it", FILE, (
            say('Click "Render" at the bottom right of the image window', button("Render")),
            say('Choose "Nearest neighbour sampling"', radio("Nearest neighbour sampling")),
            say("Click on Cancel", button("Cancel")),
        ), images),
        Play("Edit the parameters of the study", FILE, (
            say("Click on the File menu", menu("File")),
            say('Select the "Info Edit" entry', item("Info Edit")),
            say("Go to the Study Parameters tab", tab("Study Parameters")),
        )),
        Play("Say that the study is a CT", FILE, (
            say('Select "CT" in the Modality section', "role=panel[name='Modality'] >> role=radio[name='CT']"),
            say('Set "Planar" to Yes', "role=panel[name='Planar'] >> role=radio[name='Yes']"),
            say('Click on the "Apply" button', button("Apply")),
        ), (*edit, tab("Study Parameters"))),
        Play("Correct the slice width", FILE, (
            say("Click in the text field next to Slice Width", "role=textbox >> nth=1", "6.0"),
            say("Click the input box for the frame duration", "role=textbox >> nth=3"),
            say("Click the Cancel button", button("Cancel")),
        ), (*edit, tab("Sizes / Time"))),
        Play("Extract some slices", FILE, (
            say('Click on the "Images" menu at the top', menu("Images")),
            say('Click the "Extract" item', menu("Extract")),
            say("Choose Normal", item("Normal")),
        )),
        Play("Extract the first slices", FILE, (
            say("Enter 1-6 in the Images field", "role=textbox", "1-6"),
            say("Press Apply", button("Apply")),
        ), (menu("Images"), menu("Extract"), item("Normal"))),
        Play("Show images at double size", FILE, (
            say('Click the "Options" menu', menu("Options")),
            say('Click on "Resize"', item("Resize")),
            say("Select the double size option", radio("[2:1] double")),
        )),
        Play("Change what a page holds", FILE, (
            say("Select the last of the three radio buttons", radio("whole screen filled")),
            say("Confirm with Apply", button("Apply")),
        ), (menu("Options"), item("Pages"))),
        Play("Look at the console's logs", FILE, (
            say('Open the "Help" menu on the right of the menu bar', menu("Help")),
            say('Select "Console Logs"', item("Console Logs")),
            say('Click "Clear" at the bottom left of the window', button("Clear")),
        )),
        Play("Go to the page and put the images away", FILE, (
            say("Open the Page drop-down list at the top left", "role=combobox"),
            say("Select page 1/1", "role=combobox >> role=menuitem"),
            say("Press the Hide button", button("Hide")),
        ), images),
        Play("Work below the images", FILE, (
            say('Click in the "Table" spin box', "role=spinbutton >> nth=1"),
            say("Click on the field to the right of \"Page:\" below the images", "role=spinbutton >> nth=0"),
            say('Click on "Toggle Entries"', button("Toggle Entries")),
        ), images),
        Play("Write pixels of 12 bits", FILE, (
            say("Select writing Int16 pixels", radio("[w] writing Int16 pixels")),
            say("Tick 12 bits used", check("12 bits used")),
            say("Click Cancel at the bottom right", button("Cancel")),
        ), options),
        Play("Turn the menu bar", FILE, (
            say('Click "Options"', menu("Options")),
            say('Click on the "Menubar" submenu', menu("Menubar")),
            say('Choose "Top-to-Bottom"', item("Top-to-Bottom")),
        )),
        Play("Choose a format in the dialog", FILE, (
            say("Open the format drop-down at the bottom left", formats),
            say("Select Gif89a", f"{formats} >> role=menuitem[name='Gif89a']"),
            say("Cancel the dialog", button("Cancel")),
        ), (menu("File"), menu("Save As"), item("PNG"))),
    ]  # fmt: skip


XMEDCON = Desktop("xmedcon", tasks, {FILE: (0, 0), "(X)MedCon": (640, 40)})
