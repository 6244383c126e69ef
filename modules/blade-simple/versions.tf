terraform {
  required_version = ">= 1.8.0"
  required_providers {
    mkys = {
      source  = "mkys/mkys"
      version = ">= 0.1.0"
    }
  }
}
