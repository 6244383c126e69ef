# The route's id at the edge
terraform import mkys_route.pnr 3c1a8d0e-7f0b-4a56-9d3e-6a2f6a1c9f52
