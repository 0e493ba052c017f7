"""What can be done here: one file and one public function per verb."""
