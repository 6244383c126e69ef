terraform {
  required_version = ">= 1.8.0"
  required_providers {
    mkys = {
      source  = "mkys/mkys"
      version = ">= 0.1.0"
    }
  }
}

provider "mkys" {
  cloud = "university" # of clouds.yaml

  external_networks = {
    users  = "users"
    devops = "devops"
  }

  edge = {
    url          = "http://10.0.0.5:8600"
    users_cidrs  = ["198.51.100.3"]
    devops_cidrs = ["198.51.100.131"]
    # its token comes from MKYS_EDGE_TOKEN
  }
}
