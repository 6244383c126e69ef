# The name of the blade; in the credential's own project, or in the project made for it
terraform import mkys_blade.automathon automathon

# PROJECT_ID/NAME, for one project among several
terraform import mkys_blade.automathon 0f6c1fbd5ff14ff9ae29ab13ec46d3a4/automathon
