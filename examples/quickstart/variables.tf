variable "cloud" {
  description = "A cloud of clouds.yaml."
  type        = string
  default     = "lab"
}

variable "prefix" {
  description = "Put before every name, so that several can stand on one cloud."
  type        = string
  default     = ""
}

variable "image" {
  description = "Image of the servers."
  type        = string
  default     = "mkys-tiny"
}

variable "flavor" {
  description = "Flavor of the servers."
  type        = string
  default     = "small"
}

variable "probe_source" {
  description = "URL of a node exporter's binary; null takes the image's package."
  type        = string
  default     = null
}

variable "edge_url" {
  description = "Address of the edge's API."
  type        = string
}

variable "edge_users_cidrs" {
  description = "Addresses of the edge on the users' external network."
  type        = list(string)
}

variable "edge_devops_cidrs" {
  description = "Addresses of the edge on the devops external network."
  type        = list(string)
}

variable "edition" {
  description = "What the site says of itself: change it to roll out another version."
  type        = string
  default     = "edition 1"
}

variable "healthy" {
  description = "Whether the site's new version becomes ready: false shows an update that fails."
  type        = bool
  default     = true
}

variable "ready_within" {
  description = "How long a new version may take until it serves."
  type        = string
  default     = "60s"
}

variable "linked" {
  description = "Whether the blade is plugged into the backplane."
  type        = bool
  default     = true
}
