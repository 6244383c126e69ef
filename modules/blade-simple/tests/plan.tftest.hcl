# Plans without a cloud: what the module says by itself.
variables {
  name   = "example"
  cidr   = "10.20.1.0/24"
  image  = "debian-12"
  flavor = "small"
  web    = { user_data = "#!/bin/sh\nexec true\n" }
}

run "a_web_server_alone" {
  command = plan

  assert {
    condition     = keys(mkys_blade.this.servers) == tolist(["web"])
    error_message = "without data there is one server"
  }
  assert {
    condition     = strcontains(mkys_blade.this.template, "OS::Nova::Server")
    error_message = "the template is known before anything exists"
  }
}

run "with_data" {
  command = plan

  variables {
    data = { size = 2 }
  }

  assert {
    condition     = mkys_blade.this.servers["data"].volumes["data"].mount == "/srv/data"
    error_message = "the volume has its default mount point"
  }
}

run "a_network_that_is_none" {
  command = plan

  variables {
    cidr = "10.20.1.0"
  }

  expect_failures = [var.cidr]
}
