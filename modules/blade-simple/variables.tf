variable "name" {
  description = "Name of the blade, of its project and of its stack."
  type        = string
}

variable "description" {
  description = "What the blade is for, in a sentence."
  type        = string
  default     = null
}

variable "group" {
  description = "Group that administers the blade; null builds it in the credential's own project."
  type        = string
  default     = null
}

variable "users" {
  description = "Existing users to put into the group."
  type        = set(string)
  default     = []
}

variable "quota" {
  description = "Limits of the project."
  type = object({
    instances = optional(number)
    cores     = optional(number)
    ram       = optional(number)
    gigabytes = optional(number)
  })
  default = {}
}

variable "cidr" {
  description = "Addresses of the blade's one network."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 1))
    error_message = "This is not a network such as 10.20.1.0/24."
  }
}

variable "image" {
  description = "Image of the servers, by name or id."
  type        = string
}

variable "flavor" {
  description = "Flavor of the servers, by name or id."
  type        = string
}

variable "web" {
  description = "The web server: what it runs at its first boot, what answers when it serves, and for how long to wait."
  type = object({
    user_data = string
    health    = optional(string, ":80/")
    within    = optional(string, "5m")
  })
}

variable "data" {
  description = "The server with the data: its volume's size in GiB, where it is mounted, and what it runs. Null: none."
  type = object({
    size      = number
    mount     = optional(string, "/srv/data")
    user_data = optional(string)
  })
  default = null
}

variable "services" {
  description = "What others may reach on the web server, by name."
  type = map(object({
    port      = number
    audiences = set(string)
  }))
  default = { site = { port = 80, audiences = ["users"] } }
}
