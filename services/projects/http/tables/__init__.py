"""Projects and milestones as tables: files that people open in a spreadsheet and send back."""
