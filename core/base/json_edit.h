/* Changing configs: one object over another, and single values by path. */
#ifndef XENT_BASE_JSON_EDIT_H
#define XENT_BASE_JSON_EDIT_H

#include "core/base/json.h"

/* `over` on top of `base`, both of one source, in place: objects merge key by key, except where `over` names
   another "type"; everything else is replaced. A component's bare name counts as {"type": NAME}. Returns `base`. */
cJSON *json_merge(JsonSource *source, cJSON *base, const cJSON *over);

/* Sets the value at a path such as model.hidden[1] or data.train.path; objects on the way are made. `assignment`
   is PATH=JSON; a value that is not JSON is a string. Status 2 after an error, which names the option. */
bool json_set(JsonSource *source, cJSON *root, const char *assignment, Error *error);

#endif
