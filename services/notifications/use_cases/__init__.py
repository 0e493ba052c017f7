"""What can be done, one file and one public function per verb."""
