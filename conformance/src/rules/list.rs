//! The list of all rules: number, name, needs and promise.

/// Passes the list of all rules to another macro. Rules are listed only here.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_rule {
    ($apply:ident) => {
        $crate::$apply! {
            submit {
                101 cf_023_submit_gives_the_result_of_the_function []
                    "The future of a submitted call returns what the call returns."
                102 every_task_runs_exactly_once []
                    "Each accepted task runs exactly once."
                103 function_items_closures_and_generic_functions_can_be_submitted []
                    "Function items, methods, generic functions and closures without captures can be submitted."
                104 arguments_and_results_arrive_unchanged []
                    "Arguments and results of every type and size arrive unchanged."
                105 tasks_start_in_the_order_of_submission [Concurrent Ordered]
                    "Tasks of equal priority start in the order of submission."
                106 a_higher_priority_starts_first [Concurrent Ordered Prioritises]
                    "The queued task with the highest priority starts next; tasks of equal priority keep their order."
                107 cf_046_cf_058_cf_146_no_more_tasks_run_than_there_are_workers [Concurrent]
                    "At most `max_workers` tasks run at the same time, on at most as many workers."
                108 as_many_tasks_run_as_there_are_workers [Concurrent]
                    "`max_workers` is the requested number, and that many tasks do run at the same time."
                109 no_worker_is_idle_while_a_task_waits [Concurrent]
                    "A task does not wait behind a long one while another worker is idle."
                110 try_submit_is_refused_while_the_queue_is_full [Concurrent Bounded]
                    "On a full queue `try_submit` returns `QueueFull`; a cancelled task no longer counts."
                111 submit_waits_while_the_queue_is_full [Concurrent Bounded]
                    "On a full queue `submit` blocks until there is space."
                112 a_submit_that_waits_for_space_is_refused_at_shutdown [Concurrent Bounded]
                    "A `submit` that blocks because the queue is full returns `ShutDown` if the executor is closed."
                113 a_task_can_read_its_id_and_its_name []
                    "Inside a task, `task::current` returns the id of its future and the name from its options."
                114 every_task_has_an_id_of_its_own []
                    "No two tasks have the same id, even on different executors."
                115 many_threads_may_submit_concurrently []
                    "Any number of threads may submit to one executor."
                116 cf_115_an_argument_that_cannot_be_encoded_is_refused_by_submit [Encodes]
                    "An argument that cannot be encoded is an error of `submit`."
                117 cf_117_cf_150_an_argument_that_cannot_be_decoded_fails_its_own_task_only [Encodes]
                    "An argument that cannot be decoded fails only its own task, and does not kill the worker."
            }
            result {
                201 a_value_is_moved_out_once []
                    "`result` moves the value out; a second call returns `InvalidState`."
                202 cf_016_a_waiting_thread_gets_the_value [Concurrent]
                    "A thread that waits in `result` receives the value."
                203 cf_015_a_wait_that_times_out_does_not_affect_the_task [Concurrent]
                    "A wait that times out returns `Timeout`; the task continues, and can be waited for again."
                204 a_time_out_of_any_length_is_allowed []
                    "Time-outs of any length are accepted."
                205 cf_013_cf_014_the_state_is_exact [Concurrent]
                    "`running` is true exactly while the task runs, and `done` exactly after it has ended."
                206 a_success_has_no_exception_and_keeps_its_value []
                    "`exception` of a success is `None`, and does not take the value."
                207 an_error_is_returned_any_number_of_times []
                    "`result` and `exception` return an error any number of times."
                208 an_error_that_a_function_returns_is_a_value []
                    "A `Result` that a function returns is an ordinary value."
                209 a_shared_future_returns_its_value_to_every_thread [Concurrent]
                    "A shared future returns its value any number of times, to any thread."
                210 cf_009_debug_shows_the_state [Concurrent]
                    "`Debug` of a future shows its state."
                211 cf_022_a_done_future_stays_done_for_every_reader []
                    "A future that was seen done has its value, and stays done."
                212 cf_124_a_result_that_cannot_be_encoded_fails_its_own_task_only [Encodes]
                    "A result that cannot be encoded fails only its own task, and does not kill the worker."
                213 cf_125_cf_126_a_result_that_cannot_be_decoded_fails_its_own_future_only [Encodes]
                    "A result that cannot be decoded fails only its own future."
                214 a_time_limit_stops_the_task_and_frees_its_worker [Concurrent StopsTasks]
                    "A task that exceeds its time limit is stopped with `TimeLimit`, and its worker becomes free."
            }
            cancel {
                301 cf_011_cf_012_a_pending_task_is_cancelled_and_never_runs [Concurrent]
                    "A task that has not started can be cancelled; it is done immediately, and never runs."
                302 a_running_task_is_not_cancelled [Concurrent]
                    "A running task cannot be cancelled, and `cancel` does not affect it."
                303 a_finished_task_is_not_cancelled []
                    "A task that has ended cannot be cancelled, and keeps its value."
                304 cf_017_a_waiting_thread_is_woken_by_a_cancel [Concurrent]
                    "A thread that waits in `result` returns immediately if the task is cancelled."
                305 a_cancelled_task_is_done_immediately_for_every_waiter [Concurrent]
                    "`wait` and `as_completed` see a cancelled task as done, without any action of a worker."
                306 exactly_one_of_ran_and_cancelled_is_true [Concurrent]
                    "However `cancel` races with the start, either the task runs or `cancel` returns true, never both."
                307 dropping_a_future_does_not_cancel_its_task [Concurrent]
                    "A task runs even if its future was dropped."
                308 cf_097_submitting_cancelling_and_shutting_down_in_a_row_ends []
                    "Submitting, cancelling and shutting down in a row ends."
                309 terminate_cancels_a_pending_task [Concurrent]
                    "`terminate` of a task that has not started cancels it."
                310 cf_073_terminate_stops_a_running_task_and_frees_its_worker [Concurrent StopsTasks]
                    "`terminate` ends a running task with `Terminated`, and its worker becomes free."
                311 terminate_of_one_task_does_not_affect_others [Concurrent StopsTasks]
                    "`terminate` of one task affects neither tasks on other workers nor queued ones."
                312 terminate_that_cannot_stop_a_task_requests_a_stop [Concurrent CannotStopTasks]
                    "If a running task cannot be stopped, `terminate` returns false, and the task can see the request."
                313 terminate_of_a_finished_task_returns_false []
                    "`terminate` of a task that has ended returns false and changes nothing."
            }
            callback {
                401 cf_001_a_callback_sees_the_result [Concurrent]
                    "A callback receives the future when it is done, and may take its value."
                402 cf_002_a_callback_sees_the_error []
                    "A callback also receives a future that failed."
                403 cf_003_cancel_calls_the_callbacks_before_it_returns [Concurrent]
                    "`cancel` calls the callbacks in the cancelling thread, before it returns, and only once."
                404 callbacks_are_called_in_the_order_they_were_added [Concurrent]
                    "Callbacks are called one after another, in the order in which they were added."
                405 a_callback_runs_in_the_thread_that_completes_the_future [Concurrent SharesMemory]
                    "A callback runs in the thread that completes the future."
                406 cf_005_cf_006_cf_007_a_late_callback_is_called_immediately_by_the_adding_thread []
                    "A callback that is added to a done future is called immediately, in the thread that adds it."
                407 cf_004_a_callback_that_panics_affects_nothing_else [Concurrent]
                    "A callback that panics affects neither the other callbacks nor the worker."
                408 cf_008_a_late_callback_that_panics_does_not_unwind_into_the_adding_thread []
                    "A late callback that panics does not unwind into the thread that adds it."
                409 a_callback_may_add_another [Concurrent]
                    "A callback that is added by a callback is called immediately."
                410 a_callback_may_use_the_executor []
                    "A callback may submit to the executor that calls it."
                411 a_callback_may_shut_the_executor_down [Concurrent]
                    "A callback may shut down the executor that calls it."
                412 cancelling_from_a_callback_of_the_same_executor_works [Concurrent]
                    "A callback may cancel another task of the executor that calls it."
                413 a_result_callback_sees_the_value_before_its_readers_and_leaves_it [Concurrent]
                    "A result callback sees the value before `result` returns it, and leaves it."
                414 a_result_callback_sees_the_error_or_the_cancel [Concurrent]
                    "A result callback sees how a task failed, or that it was cancelled."
                415 a_late_result_callback_is_called_immediately_by_the_adding_thread []
                    "A result callback that is added to a done future is called immediately, by the thread that adds it."
                416 the_callbacks_of_a_shared_future_see_the_value_early_and_late [Concurrent]
                    "Callbacks of a shared future see its value, also those that are added when it is done."
            }
            panic {
                501 cf_121_cf_145_a_panic_is_the_error_of_its_task []
                    "A task that panics fails with `Panicked`, and the error has the message."
                502 cf_055_a_panic_has_its_location []
                    "The error of a panic has its file and line."
                503 a_panic_of_any_payload_is_an_error []
                    "A panic is an error, whatever its payload is."
                504 a_worker_survives_the_panic_of_a_task [Concurrent]
                    "A panic does not end the worker of its task."
                505 cf_053_each_future_has_an_error_of_its_own []
                    "Each of several failing tasks has its own error."
                506 an_argument_that_panics_when_dropped_fails_only_its_task []
                    "A panic in the drop of an argument is the panic of its task."
                507 a_result_that_panics_when_dropped_affects_nothing_else []
                    "A panic in the drop of a result that is never taken is contained."
                508 cf_052_cf_119_cf_120_a_crash_costs_the_task_that_crashes [Concurrent Isolates]
                    "A task that kills its worker fails with `WorkerDied`, and affects no task before or after it."
                509 cf_056_a_death_has_its_cause_and_its_task [Concurrent Isolates]
                    "The error of a death has the exit code or the signal, the process, the task and its last lines."
                510 a_crash_does_not_affect_a_task_on_another_worker [Concurrent Isolates]
                    "A crash does not affect a task on another worker."
                511 a_task_is_retried_after_a_death_as_often_as_allowed [Concurrent Isolates]
                    "A task is retried after the death of its worker, as often as its options allow."
                512 a_panic_is_not_retried []
                    "A panic is not a death, and is not retried."
            }
            map {
                601 cf_025_results_come_in_the_order_of_the_inputs []
                    "`map` yields the results in the order of the inputs."
                602 the_order_does_not_depend_on_which_item_is_done_first [Concurrent]
                    "A later item that is done earlier is still yielded later."
                603 cf_036_an_empty_input_gives_an_empty_map []
                    "A map over an empty input is empty."
                604 cf_054_the_chunk_size_does_not_change_the_results []
                    "The chunk size does not change the results."
                605 cf_031_cf_054_a_chunk_or_buffer_size_of_zero_is_refused []
                    "A chunk size or buffer size of zero is refused."
                606 cf_026_an_item_that_fails_does_not_end_the_map []
                    "An item that fails is an error at its position, and the next items follow."
                607 cf_027_an_error_of_the_function_is_not_a_time_out_of_the_map []
                    "An error that the function returns is not treated as the time-out of the map."
                608 cf_028_a_map_that_times_out_yields_one_error_and_ends [Concurrent]
                    "A map that times out yields the results so far and one `Timeout`, and ends."
                609 cf_050_a_map_that_timed_out_runs_nothing_more [Concurrent]
                    "Items that had not started when a map timed out never start."
                610 the_longest_time_out_of_a_map_works []
                    "The longest possible time-out of a map is accepted."
                611 cf_029_dropping_a_map_cancels_what_has_not_started [Concurrent]
                    "Dropping a partly read map cancels the rest."
                612 dropping_a_map_that_was_never_read_cancels_it [Concurrent]
                    "Dropping a map that was never read cancels it."
                613 cf_044_a_map_that_is_not_read_runs_to_its_end []
                    "`map` submits when it is called, so the items run even if the results are not read."
                614 cf_039_shutdown_does_not_wait_for_the_reader_of_a_map []
                    "Shutting down with an unread map does not hang."
                615 cf_032_cf_033_the_buffer_size_does_not_change_the_results [HasHandle]
                    "The buffer size does not change the results."
                616 cf_034_cf_035_an_infinite_input_is_read_only_as_far_as_needed [HasHandle]
                    "With a buffer, the input may be infinite."
                617 cf_038_no_input_is_read_while_the_buffer_is_full [HasHandle]
                    "While the buffer is full, no input is read: exactly as many are read as the buffer holds."
                618 a_buffer_is_never_exceeded [HasHandle]
                    "The number of read but not yielded items never exceeds the buffer size, even with chunks."
                619 a_buffered_map_ends_with_an_error_when_the_executor_is_shut_down [HasHandle]
                    "A map that can no longer submit yields the results so far and the reason, and ends."
                620 a_back_end_without_a_handle_refuses_buffers []
                    "A buffer size is refused if the back-end has no handle."
                621 an_unordered_map_gives_every_result_once []
                    "An unordered map yields the same results, each once."
                622 an_unordered_map_does_not_wait_for_slow_items [Concurrent]
                    "An unordered map yields done items while another one runs."
                623 an_input_that_panics_unwinds_into_the_caller_only []
                    "A panic of the input unwinds into the caller of `map`, and the executor is not affected."
                624 a_map_after_shutdown_is_refused []
                    "`map` after a shutdown is refused."
                625 cf_042_a_map_keeps_no_result_that_it_has_yielded []
                    "A map keeps no results that it has yielded."
                626 an_item_that_crashes_does_not_affect_its_chunk [Concurrent Isolates]
                    "An item that kills its worker does not affect the other items of its chunk."
                627 an_item_that_cannot_be_sent_fails_at_its_position [Encodes]
                    "An item that cannot be encoded or decoded is an error at its position."
                628 a_map_as_a_future_has_all_results_in_order []
                    "The future of a map has all results, in the order of the inputs, also for its callbacks."
                629 a_map_as_a_future_fails_with_the_error_of_an_item []
                    "The future of a map fails if an item fails, with the error of such an item."
                630 cancelling_a_map_as_a_future_cancels_what_has_not_started [Concurrent]
                    "Cancelling the future of a map cancels the items that have not started."
                631 a_time_out_for_the_next_result_leaves_it_in_the_map [Concurrent]
                    "A time-out of `next_timeout` cancels nothing, and the result is yielded later."
                632 an_error_of_a_map_has_the_number_and_the_name_of_its_item []
                    "An error of a map has the number of its item, and the name that the options give it."
                633 each_input_is_given_back_beside_its_result []
                    "`map_pairs` yields each input once, beside its own result, in any order."
                634 a_stream_of_a_map_yields_what_the_iterator_yields []
                    "A map as a stream yields the same results, in the same order."
                635 a_stream_of_a_map_is_woken_for_each_result [Concurrent Ordered]
                    "A pending stream of a map is woken when its next result is there."
            }
            wait {
                701 cf_077_wait_returns_each_future_once []
                    "`wait` returns each future once, and the futures can be waited for again."
                702 cf_078_first_completed_returns_with_the_first [Concurrent]
                    "`FirstCompleted` returns when one future is done."
                703 a_cancelled_future_is_the_first_completed [Concurrent]
                    "A cancelled future is done for `FirstCompleted`."
                704 cf_079_first_completed_returns_futures_that_are_already_done [Concurrent]
                    "`FirstCompleted` returns immediately with the futures that are already done."
                705 cf_080_first_exception_returns_with_the_first_failure [Concurrent]
                    "`FirstException` returns when one future has failed."
                706 cf_081_a_cancelled_future_is_not_a_failure [Concurrent]
                    "`FirstException` does not treat a cancelled future as a failure."
                707 cf_082_first_exception_returns_immediately_if_one_has_failed [Concurrent]
                    "`FirstException` returns immediately if one future has already failed."
                708 first_exception_without_one_waits_for_all [Concurrent]
                    "`FirstException` waits for all futures if none fails."
                709 cf_083_all_completed_waits_for_every_kind_of_end [Concurrent]
                    "`AllCompleted` waits for values, errors and cancellations."
                710 cf_084_a_time_out_is_not_an_error [Concurrent]
                    "A `wait` that times out returns the done futures and the others."
                711 one_wait_accepts_futures_of_several_executors [Concurrent]
                    "One `wait` accepts futures of any executors and of promises."
                712 waiting_does_not_change_the_futures [Concurrent]
                    "Futures that were waited for still have their values."
                713 cf_085_tasks_that_end_at_the_same_moment_are_all_counted []
                    "`wait` counts every task, even if many end at the same moment."
                714 wait_accepts_references_and_returns_them [Concurrent]
                    "`wait` accepts references to futures, and returns them."
                715 wait_accepts_shared_futures_and_returns_them [Concurrent]
                    "`wait` accepts shared futures, and returns them."
            }
            as_completed {
                801 cf_086_each_future_is_yielded_once [Concurrent]
                    "`as_completed` yields each future once, however it ended."
                802 futures_are_yielded_in_the_order_of_completion [Concurrent]
                    "`as_completed` yields done futures first, and the others in the order of completion."
                803 cf_087_done_futures_are_yielded_before_the_time_out [Concurrent]
                    "Done futures are yielded before the time-out, and nothing after it."
                804 cf_088_the_input_may_submit_tasks []
                    "The input iterator may submit tasks."
                805 cf_089_no_yielded_future_is_kept [SharesMemory]
                    "`as_completed` keeps no future that it has yielded."
                806 cf_090_the_time_out_has_the_number_of_unfinished_futures [Concurrent]
                    "The message of the time-out has the number of unfinished futures and of all futures."
                807 a_time_out_cancels_nothing [Concurrent]
                    "A time-out of `as_completed` does not affect the tasks."
                808 one_call_accepts_futures_of_several_executors []
                    "One `as_completed` accepts futures of any executors."
                809 as_completed_accepts_references_and_yields_them []
                    "`as_completed` accepts references to futures, and yields them."
                810 as_completed_accepts_shared_futures_and_the_keys_of_a_map []
                    "`as_completed` accepts shared futures, and the futures that are the keys of a map."
                811 a_stream_yields_futures_in_the_order_of_completion [Concurrent]
                    "`as_completed` as a stream yields the same futures, and is woken when one is done."
            }
            awaited {
                901 cf_153_await_returns_what_result_returns []
                    "`.await` returns what `result` returns."
                902 await_of_a_running_task_is_woken [Concurrent]
                    "A pending `.await` is woken when the task is done, and not before."
                903 await_of_a_cancelled_task_is_an_error [Concurrent]
                    "`.await` of a cancelled task returns `Cancelled`."
                904 the_waker_of_the_last_poll_is_woken [Concurrent]
                    "Of several polls, the waker of the last one is woken."
                905 a_pending_await_does_not_delay_others [Concurrent]
                    "A pending `.await` does not delay others."
                906 cf_154_a_dropped_await_wakes_nothing_and_cancels_nothing [Concurrent]
                    "A dropped `.await` wakes no one and does not affect the task."
                907 await_ends_when_the_executor_is_shut_down [Concurrent]
                    "A pending `.await` ends when its task is cancelled by a shutdown."
            }
            shutdown {
                1001 cf_091_cf_093_nothing_is_accepted_after_shutdown []
                    "After a shutdown, every way to submit returns `ShutDown`."
                1002 cf_094_draining_runs_everything_that_was_accepted []
                    "`Drain` runs every accepted task before it returns."
                1003 cf_095_cancel_pending_finishes_what_runs_and_cancels_the_rest [Concurrent]
                    "`CancelPending` lets running tasks finish and cancels exactly the rest."
                1004 cf_066_cf_076_terminate_stops_what_runs_and_cancels_the_rest [Concurrent StopsTasks]
                    "`Terminate` stops running tasks and cancels the rest."
                1005 terminate_that_cannot_stop_a_task_cancels_the_rest_and_waits [Concurrent CannotStopTasks]
                    "If tasks cannot be stopped, `Terminate` cancels the rest and waits for the running ones."
                1006 cf_075_an_executor_that_was_never_used_shuts_down []
                    "An executor that was never used shuts down."
                1007 cf_074_any_shutdown_after_any_other_is_safe []
                    "Any shutdown after any other shutdown is safe."
                1008 a_second_close_may_be_stricter [Concurrent]
                    "A stricter close after a milder one takes effect."
                1009 a_second_close_is_never_milder [Concurrent]
                    "A milder close after a stricter one has no effect."
                1010 cf_101_cf_108_close_returns_immediately_and_join_waits [Concurrent]
                    "`close` does not wait; `join` does, at most for its time-out."
                1011 join_without_close_waits_until_close_is_called [Concurrent]
                    "`join` without `close` waits until `close` is called."
                1012 any_number_of_threads_may_shut_down_concurrently []
                    "Any number of threads may shut down at the same time."
                1013 every_kind_of_shutdown_completes_every_future []
                    "Every kind of shutdown completes every future."
                1014 shutdown_from_inside_a_task_does_not_wait_for_itself [Concurrent SharesMemory]
                    "A task may shut down the executor that runs it."
                1015 every_worker_has_ended_when_join_returns_true [Concurrent SharesMemory OwnsWorkers]
                    "When `join` returns true, the workers have ended."
            }
            drop {
                1101 cf_099_cf_100_cf_106_cf_107_dropping_an_executor_drains_it []
                    "Dropping an executor runs every accepted task."
                1102 dropping_an_executor_waits_for_running_tasks [Concurrent]
                    "Dropping an executor waits for running tasks."
                1103 an_executor_that_was_shut_down_may_be_dropped []
                    "An executor can be dropped after any shutdown, joined or not."
                1104 futures_outlive_their_executor []
                    "Futures keep their values and errors after their executor was dropped."
                1105 cf_040_cf_057_an_argument_is_dropped_with_its_task []
                    "An argument does not outlive its task."
                1106 a_result_is_dropped_with_its_future [SharesMemory]
                    "A result does not outlive its future."
                1107 a_cancelled_task_keeps_no_argument [Concurrent]
                    "The argument of a cancelled task is dropped immediately."
                1108 a_refused_task_keeps_no_argument []
                    "The argument of a refused task is dropped."
                1109 dropping_an_executor_inside_its_own_task_works [Concurrent SharesMemory]
                    "A task may drop the executor that runs it."
                1110 a_map_outlives_its_executor []
                    "A map yields its results after its executor was dropped."
                1111 a_buffered_map_does_not_keep_its_executor_alive [HasHandle]
                    "A buffered map does not keep its executor alive, and then ends with an error."
            }
            nested {
                1201 a_task_may_submit_to_its_own_executor [SharesMemory]
                    "A task may submit to the executor that runs it."
                1202 tasks_that_wait_for_their_subtasks_never_use_up_the_workers [SharesMemory HelpsWaiters]
                    "Tasks that wait for their subtasks never deadlock, however few workers there are."
                1203 waits_may_be_deeply_nested [SharesMemory HelpsWaiters]
                    "Waits may be deeply nested."
                1204 a_task_may_map_on_its_own_executor [SharesMemory HelpsWaiters]
                    "A task may map on the executor that runs it."
                1205 a_task_may_wait_for_many_on_its_own_executor [SharesMemory HelpsWaiters]
                    "`wait` and `as_completed` inside a task do not deadlock."
                1206 a_task_that_waits_runs_only_the_awaited_task [Concurrent SharesMemory HelpsWaiters Ordered]
                    "A task that waits runs the awaited task inline, and never another one."
                1207 a_task_that_was_run_inline_is_run_once [SharesMemory HelpsWaiters]
                    "A task that was run inline does not run again."
                1208 a_subtask_that_runs_inline_is_the_current_task [SharesMemory HelpsWaiters]
                    "A subtask that runs inline is the current task while it runs."
                1209 a_panic_of_an_inline_subtask_is_the_error_of_the_subtask [SharesMemory HelpsWaiters]
                    "A subtask that panics inline does not unwind into its waiter."
                1210 a_task_may_wait_for_the_task_of_another_executor [SharesMemory]
                    "A task may submit to another executor and wait."
                1211 a_full_queue_accepts_tasks_of_its_own_workers [Concurrent Bounded SharesMemory HelpsWaiters]
                    "A worker may submit past the bound of its own executor, because blocking could deadlock."
                1212 a_task_may_wait_for_a_map_as_a_future_on_its_own_executor [SharesMemory HelpsWaiters]
                    "A task may wait for the future of a map on the executor that runs it."
            }
            stress {
                1301 a_thousand_tasks_give_a_thousand_results []
                    "A thousand tasks return a thousand results."
                1302 many_executors_are_created_and_dropped []
                    "Many executors can be created and dropped one after another."
                1303 submitting_during_shutdown_loses_no_task []
                    "A task that was accepted during a shutdown is completed."
                1304 callbacks_are_called_once_however_they_race []
                    "Each callback is called once, however it races with the end of its task."
                1305 no_value_of_many_tasks_remains []
                    "No argument and no result of many tasks remains after the executor was shut down."
                1306 values_of_mixed_sizes_arrive_unchanged []
                    "Arguments and results around the usual sizes of buffers arrive unchanged."
            }
            room {
                1401 submit_async_is_ready_immediately_if_there_is_room []
                    "`submit_async` does not wait if there is room, and returns `ShutDown` after a shutdown."
                1402 submit_async_waits_while_the_queue_is_full_and_blocks_no_thread [Concurrent Bounded GivesRoom]
                    "On a full queue `submit_async` is pending, and its waker is woken when there is room."
                1403 submitters_get_room_in_the_order_in_which_they_came [Concurrent Bounded GivesRoom]
                    "Async submitters get room in the order in which they came, and keep it until they are polled."
                1404 a_dropped_submit_async_never_runs_and_leaves_its_room [Concurrent Bounded GivesRoom]
                    "A `submit_async` that is dropped never runs, and the next submitter gets its room."
                1405 a_submit_async_that_waits_is_refused_at_shutdown [Concurrent Bounded GivesRoom]
                    "A `submit_async` that waits for room is woken and returns `ShutDown` if the executor is closed."
                1406 a_blocked_submit_and_an_async_one_wait_in_one_line [Concurrent Bounded GivesRoom]
                    "A blocked `submit` does not overtake a `submit_async` that came before."
                1407 a_stream_of_a_buffered_map_waits_for_room_and_blocks_no_thread [Concurrent Bounded GivesRoom HasHandle]
                    "The stream of a buffered map is pending while its next item must wait for room."
                1408 a_submit_async_that_cannot_be_encoded_leaves_its_room [Concurrent Bounded GivesRoom Encodes]
                    "A `submit_async` whose argument cannot be encoded is an error, and takes no room."
            }
            stopping {
                1501 a_dropped_guard_cancels_a_pending_task [Concurrent Ordered]
                    "A guard that is dropped cancels its task if that has not started, unless it was told to keep it."
                1502 a_dropped_guard_asks_a_running_task_to_stop [Concurrent Ordered]
                    "A running task sees that its guard was dropped, or its token cancelled."
                1503 a_dropped_guard_terminates_a_running_task [Concurrent Ordered StopsTasks]
                    "A guard that terminates its task stops it when it is dropped while the task runs."
                1504 a_token_stops_all_of_its_tasks [Concurrent]
                    "A token that is cancelled cancels the attached tasks that have not started, and no other."
                1505 a_join_has_all_results_or_the_first_error_and_stops_the_others []
                    "`try_join_all` has all results in the order of the input, or an error."
                1506 a_join_that_fails_stops_the_others [Concurrent]
                    "A `try_join_all` that fails or is cancelled cancels the tasks that have not started."
                1507 a_race_has_the_first_value_and_stops_the_others [Concurrent]
                    "`race` has the first value, or an error if all tasks fail."
                1508 joins_and_races_may_be_waited_for_inside_a_task [SharesMemory HelpsWaiters]
                    "`try_join_all` and `race` inside a task do not deadlock."
            }
        }
    };
}
