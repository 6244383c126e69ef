# The names of the blade and of the Devops blade
terraform import mkys_backplane_link.pnr pnr/devops
