-- Who uses the session routes: connections that are open, and when something last passed.
--
-- "PID ID" counts a worker's connections of a session route, so that a worker that is killed takes its
-- counts with it; "use ID" is the time of its last use, by the kernel's monotonic clock. Lasting routes are not counted.
local clock = require "mkys.clock"
local cjson = require "cjson.safe"
local dict = ngx.shared.mkys_activity
local state = ngx.shared.mkys_state

local _M = {}

-- What nobody said to forget is forgotten after a month without use, in seconds.
local KEEP = 2592000
-- Data that passes more often than this, in seconds, is one use.
local OFTEN = 0.1

local function count(id, by)
    local key = ngx.worker.pid() .. " " .. id
    local number = dict:incr(key, by, 0)
    if number and number <= 0 then
        dict:delete(key)
    end
end

-- Something passed. What was forgotten meanwhile stays so.
local function touch(id)
    dict:replace("use " .. id, clock.now(), KEEP)
end

-- Counts this request for a session route, and no longer for the one before; nil: for none.
function _M.enter(id)
    local before, after = ngx.var.mkys_session, id or ""
    if before == after then
        return
    end
    _M.leave()
    ngx.var.mkys_session = after
    if id then
        count(id, 1)
        dict:safe_set("use " .. id, clock.now(), KEEP)
    end
end

-- This request is over, however it ended.
function _M.leave()
    local id = ngx.var.mkys_session
    if id and id ~= "" then
        count(id, -1)
        touch(id)
    end
end

-- A function to call whenever something passes.
function _M.toucher(id)
    if not id then
        return function() end
    end
    local last = 0
    return function()
        local now = clock.now()
        if now - last >= OFTEN then
            last = now
            touch(id)
        end
    end
end

-- The workers that live; what one counted that does not is forgotten.
local function workers()
    local living, dead = {}, {}
    for _, key in ipairs(state:get_keys(0)) do
        local pid = key:match("^worker (%d+)$")
        if pid then
            local process = io.open("/proc/" .. pid .. "/stat", "r")
            if process then
                process:close()
                living[#living + 1] = pid
            else
                dead[pid] = true
                state:delete(key)
            end
        end
    end
    if next(dead) then
        for _, key in ipairs(dict:get_keys(0)) do
            if dead[key:match("^(%d+) ")] then
                dict:delete(key)
            end
        end
    end
    return living
end

-- When NGINX starts; not when it is told to reload, which leaves the memory as it is.
function _M.start()
    state:safe_add("begun", clock.now())
end

-- When a worker starts: in the place of one that was killed, maybe.
function _M.start_worker()
    state:set("worker " .. ngx.worker.pid(), true)
    workers()
end

function _M.forget(ids)
    for _, id in ipairs(ids) do
        dict:delete("use " .. id)
    end
end

-- The use of some session routes.
function _M.uses(ids)
    local living, of = workers(), {}
    for _, id in ipairs(ids) do
        local connections = 0
        for _, pid in ipairs(living) do
            connections = connections + (dict:get(pid .. " " .. id) or 0)
        end
        of[id] = { connections = connections, last = dict:get("use " .. id) or cjson.null }
    end
    return { now = clock.now(), started = state:get("begun"), of = of }
end

return _M
