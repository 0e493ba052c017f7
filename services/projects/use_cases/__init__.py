"""Everything that can be done to projects: one file and one public function per verb."""
