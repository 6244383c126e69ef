// Package judge lets HashiCorp's own test framework for providers judge the probe provider, as a binary from outside: what it
// checks after each step (a plan that is not empty, an import that differs, a destroy that leaves something) is its word, not ours.
package judge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
)

// TestMain installs the provider in a filesystem mirror, as a release would be, and points the CLI at it. PROBE names the
// binary; without it it is the one that `cargo build -p mkys-plugin --examples` makes.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := install()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

func install() (string, error) {
	probe := os.Getenv("PROBE")
	if probe == "" {
		probe = "../../target/debug/examples/terraform-provider-probe"
	}
	binary, err := os.ReadFile(probe)
	if err != nil {
		return "", fmt.Errorf("the provider is not built (cargo build -p mkys-plugin --examples): %w", err)
	}
	if os.Getenv("TF_ACC_TERRAFORM_PATH") == "" {
		cli, err := exec.LookPath("terraform")
		if err != nil {
			return "", fmt.Errorf("no CLI: put terraform on the PATH or name one in TF_ACC_TERRAFORM_PATH: %w", err)
		}
		os.Setenv("TF_ACC_TERRAFORM_PATH", cli)
	}
	folder, err := os.MkdirTemp("", "judge")
	if err != nil {
		return "", err
	}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		place := filepath.Join(folder, "mirror", host, "mkys/probe/0.1.0/linux_amd64")
		if err := os.MkdirAll(place, 0o755); err != nil {
			return folder, err
		}
		if err := os.WriteFile(filepath.Join(place, "terraform-provider-probe_v0.1.0"), binary, 0o755); err != nil {
			return folder, err
		}
	}
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.Join(folder, "mirror"))
	file := filepath.Join(folder, "cli.tfrc")
	os.Setenv("TF_CLI_CONFIG_FILE", file)
	os.Setenv("TF_ACC", "1")
	return folder, os.WriteFile(file, []byte(config), 0o644)
}

var probe = map[string]resource.ExternalProvider{"probe": {Source: "mkys/probe", VersionConstraint: "0.1.0"}}

// config puts what every configuration needs before it.
func config(store, body string) string {
	return fmt.Sprintf("provider \"probe\" {\n  folder = %q\n}\n%s", store, body)
}

func everything(name, text string) string {
	return fmt.Sprintf(`
resource "probe_everything" "a" {
  name     = %q
  text     = %q
  fraction = 0.1
  tags     = ["b", "a"]
  settings = {}
  servers  = { web = { image = "one" } }
  steps    = [{ run = "one" }]
  rules    = [{ port = 80 }, { port = 443 }]
}
`, name, text)
}

func gone(store string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		left, err := filepath.Glob(filepath.Join(store, "*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left over: %v", left)
		}
		return err
	}
}

func TestLifecycle(t *testing.T) {
	store := t.TempDir()
	is := func(name, value string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr("probe_everything.a", name, value)
	}
	planned := func(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
		return resource.ConfigPlanChecks{
			PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("probe_everything.a", action)},
		}
	}
	resource.Test(t, resource.TestCase{
		ExternalProviders: probe,
		CheckDestroy:      gone(store),
		Steps: []resource.TestStep{
			{
				Config:           config(store, everything("a", "hello")),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				Check: resource.ComposeAggregateTestCheckFunc(
					is("id", "everything-a"), is("fraction", "0.1"), is("flag", "true"), is("serial", "1"),
					is("settings.mode", "fast"), is("servers.web.address", "web.a.example"), is("servers.web.size", "20"),
					is("rules.#", "2"), is("tags.#", "2"), is("steps.0.number", "1"),
				),
			},
			{ResourceName: "probe_everything.a", ImportState: true, ImportStateId: "everything-a", ImportStateVerify: true},
			{
				Config:           config(store, everything("a", "changed")),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            resource.ComposeAggregateTestCheckFunc(is("text", "changed"), is("serial", "2")),
			},
			{
				Config:           config(store, everything("b", "changed")),
				ConfigPlanChecks: planned(plancheck.ResourceActionDestroyBeforeCreate),
				Check:            is("id", "everything-b"),
			},
			{
				// Lost outside: made again.
				PreConfig:        func() { os.Remove(filepath.Join(store, "everything-b.json")) },
				Config:           config(store, everything("b", "changed")),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

func TestErrors(t *testing.T) {
	table := map[string]struct{ body, text string }{
		"validation": {"resource \"probe_everything\" \"a\" {\n  name  = \"a\"\n  whole = 1.5\n}\n", "Invalid value for whole"},
		"plan":       {everything("a", "unplannable"), "That can't be planned"},
		"apply":      {"resource \"probe_halfway\" \"a\" {\n}\n", "the second half is missing"},
		"panic":      {"resource \"probe_panics\" \"a\" {\n}\n", "the sky fell on everybody"},
		"function":   {"output \"it\" {\n  value = provider::probe::faulty(\"x\", 2)\n}\n", "2 is not one"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			store := t.TempDir()
			resource.Test(t, resource.TestCase{
				CheckDestroy:      gone(store),
				ExternalProviders: probe,
				Steps: []resource.TestStep{{
					Config:      config(store, row.body),
					ExpectError: regexp.MustCompile(row.text),
				}},
			})
		})
	}
}

func TestDataSourceAndFunctions(t *testing.T) {
	store := t.TempDir()
	body := everything("a", "hello") + `
data "probe_lookup" "a" {
  id = probe_everything.a.id
}
output "name" {
  value = jsondecode(data.probe_lookup.a.content).name
}
output "joined" {
  value = provider::probe::join("-", "a", "b")
}
`
	resource.Test(t, resource.TestCase{
		ExternalProviders: probe,
		CheckDestroy:      gone(store),
		Steps: []resource.TestStep{{
			Config: config(store, body),
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckOutput("name", "a"), resource.TestCheckOutput("joined", "a-b"),
			),
		}},
	})
}
