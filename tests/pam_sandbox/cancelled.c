/* An application that cancels a thread while it waits in the conversation of a login (pthread_cancel(3)).
 *   cancelled SERVICE USER ANSWER
 * Prints whether it was cancelled: by libpam at the latest, which waits after a denial. */
#include <pthread.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int asked[2], go_on[2];
static char **words;

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data) {
  (void)data;
  struct pam_response *given = calloc((size_t)count, sizeof *given);
  for (int at = 0; at < count; at++) {
    if (messages[at]->msg_style != PAM_PROMPT_ECHO_OFF) continue;
    char byte = 0;
    if (write(asked[1], &byte, 1) != 1) return PAM_CONV_ERR;
    /* A point of cancellation: the cancellation is there when this returns. */
    if (read(go_on[0], &byte, 1) != 1) return PAM_CONV_ERR;
    pthread_testcancel();
    given[at].resp = strdup(words[3]);
  }
  *responses = given;
  return PAM_SUCCESS;
}

static void *log_in(void *nothing) {
  struct pam_conv conversation = {converse, NULL};
  pam_handle_t *handle = NULL;
  if (pam_start(words[1], words[2], &conversation, &handle) != PAM_SUCCESS) abort();
  pam_end(handle, pam_authenticate(handle, 0));
  pthread_testcancel();
  return nothing;
}

int main(int count, char **arguments) {
  pthread_t thread;
  void *result;
  char byte = 0;
  words = arguments;
  if (count != 4 || pipe(asked) != 0 || pipe(go_on) != 0) return 2;
  if (pthread_create(&thread, NULL, log_in, NULL) != 0 || read(asked[0], &byte, 1) != 1) return 2;
  pthread_cancel(thread);
  if (write(go_on[1], &byte, 1) != 1) return 2;
  pthread_join(thread, &result);
  puts(result == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
  return 0;
}
