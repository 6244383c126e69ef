//! The runner on real executors: one suite of stories that each of them passes.
//!
//! The container engine is Debian's podman, with a registry beside it; the suite starts them, and needs `MKYS_STATIC`, the folder of
//! static programs (`scripts/static.sh mkys-init kdpp` builds them and prints where they are), and
//! `MKYS_ROC_VALIDATOR`, the validator of run records (`acceptance/cli/ro-crate-validator.sh`). Each story has an owner of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at once"
)]

mod bench;
mod cluster;
#[allow(dead_code, reason = "the trials need more of it")]
mod cluster_bench;
mod cluster_hostile;
mod command_line;
mod computation;
mod engine;
mod engine_hostile;
mod example;
mod failure;
mod first_page;
mod full_disk;
mod happenings;
mod images;
mod log;
mod lost_answer;
mod lost_node;
mod on_record;
mod over_tls;
mod ownership;
mod pages;
mod session;
mod terminal;
mod through_the_edge;

/// The edge of the stories that are told of it alone.
#[path = "../edge_sessions/edge.rs"]
#[allow(dead_code, reason = "those stories need more of it")]
mod edge;
#[path = "../edge_sessions/service.rs"]
#[allow(dead_code, reason = "those stories need more of it")]
mod service;
#[path = "../edge_sessions/visitor.rs"]
#[allow(dead_code, reason = "those stories need more of it")]
mod visitor;

/// Every story on an executor's bench.
macro_rules! on {
    ($bench:ty: $($file:ident { $($story:ident),+ $(,)? })+) => {
        $($(
            #[test]
            fn $story() {
                $crate::bench::tell(async {
                    crate::$file::$story(&<$bench>::new().await).await;
                });
            }
        )+)+
    };
}

/// The stories that are told of every executor.
macro_rules! conformance {
    ($module:ident: $bench:ty) => {
        mod $module {
            on! { $bench:
                computation {
                    its_result_comes_back_and_nothing_is_left,
                    the_same_again_gives_the_same,
                    inputs_and_secrets_are_files,
                    it_has_no_rights_and_no_network,
                    its_log_is_live_and_can_be_taken_up_again,
                    results_are_on_the_disk_before_it_is_destroyed,
                    it_reaches_out_only_if_it_may,
                }
                failure {
                    its_exit_code_and_its_last_lines_are_told,
                    too_much_memory_is_told_apart,
                    its_deadline_ends_it_although_it_ignores_signals,
                    an_image_that_is_not_there_is_told_apart,
                    a_registry_that_is_not_there_is_told_apart,
                    a_command_that_is_not_there_is_told_apart,
                    a_result_that_is_none_is_told_apart,
                    a_result_that_is_too_big_is_told_apart,
                    a_secret_that_is_not_there_is_told_apart,
                    files_that_do_not_fit_are_told_apart,
                    whoever_cancels_it_is_told_so,
                    resources_that_no_machine_has_are_told_apart,
                }
                happenings {
                    memory_that_is_exceeded_is_told_alike,
                    a_command_goes_on_without_a_process_that_was_killed,
                    what_is_too_long_is_refused_before_anything_is_made,
                    signals_are_told_alike,
                    commands_that_can_not_be_started_are_told_alike,
                    whoever_stops_it_gives_it_its_grace,
                    what_an_image_says_changes_no_limit,
                    a_moving_tag_is_asked_for_again,
                }
                log {
                    one_short_line_is_delivered,
                    a_long_log_is_delivered_to_its_end,
                    lines_that_are_missing_are_told,
                    what_it_says_last_is_delivered,
                }
                full_disk {
                    results_wait_until_there_is_room,
                    results_that_find_no_room_can_be_given_up,
                    a_record_that_finds_no_room_is_told,
                    a_folder_without_room_is_refused_before_anything_starts,
                    two_runs_have_no_folder_together,
                }
                session {
                    it_is_open_once_it_answers_and_ends_as_sessions_do,
                    its_game_ends_it,
                    one_that_never_answers_is_told_apart,
                    one_that_nobody_uses_ends,
                    one_that_is_used_does_not_end,
                    its_limit_ends_it,
                    sessions_do_not_reach_each_other,
                    a_new_owner_finds_it_open,
                }
                on_record {
                    what_an_owner_did_not_live_to_tell_is_not_done_again,
                    what_was_taken_over_can_be_run_again,
                }
                ownership {
                    a_name_is_had_once,
                    the_same_at_once_is_one_run,
                    what_somebody_took_away_is_tried_again,
                    a_new_owner_goes_on_where_the_one_before_stopped,
                    without_an_owner_nothing_is_left,
                    runs_of_others_are_left_alone,
                }
                terminal {
                    others_list_it_read_its_log_and_stop_it,
                    a_closed_terminal_loses_no_result,
                    a_start_that_is_refused_again_and_again_can_be_ended,
                    a_run_is_cancelled_while_its_image_is_pulled,
                    what_was_recorded_is_run_again,
                    a_session_without_an_edge_is_not_called_idle,
                    a_doctor_finds_nothing_wrong,
                }
            }
        }
    };
}

conformance!(on_the_engine: crate::bench::EngineBench);
conformance!(on_kubernetes: crate::cluster_bench::ClusterBench);
